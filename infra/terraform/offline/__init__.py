"""Run the real terraform program without Google's provider. A local provider serves the resources' schemas instead."""
