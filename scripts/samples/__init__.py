"""The sample files of the demo and the tests, and the script that made them."""
