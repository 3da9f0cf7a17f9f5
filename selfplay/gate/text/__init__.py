"""A hint as text: its words, the forms in which they are compared, and how names are used among them."""
