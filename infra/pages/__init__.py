"""Programs that write the generated parts of the pages in ``infra/docs``."""
