"""What is deployed, in Terraform, and how it is checked without a cloud."""
