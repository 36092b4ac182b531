"""One file a version; a file that was published is never changed."""
