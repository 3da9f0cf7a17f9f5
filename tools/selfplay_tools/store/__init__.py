"""A store of texts by git's blob ids, in mapped memory: what an index over many commits of a repository is made of.

container.py   immutable files of named arrays, with checksums
segment.py     some thousand blobs: their texts, and what is known of them
grams.py       which blobs may hold three bytes in a row
postings.py    which blobs hold a word, and how often
manifest.py    which segments there are
store.py       all of a repository's segments, grown by one process at a time and read by many
view.py        one commit over the store: the questions of `Index`
"""
