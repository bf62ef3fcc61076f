"""Puts the function where it runs: the image's steps, the deployment to Google Cloud, and examples for other hosts."""
