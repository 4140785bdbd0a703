"""Code that several commands share: the console, options, how texts and files are named and listed."""
