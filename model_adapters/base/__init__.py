"""What every adapter shares: requests, media, sampling, arguments, failures, weights' folders."""
