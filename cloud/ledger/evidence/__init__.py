"""What entries were made from: the documents whose digests the chain of entries seals."""
