"""What other programs take whole: catalogue, dumps, change feed, sitemap."""
