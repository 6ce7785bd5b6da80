"""The payments of a check, each with its class: read by page or as one table."""
