"""A store of texts by git's blob ids, in mapped memory: what an index over many commits of a repository is made of.

container.py   immutable files of named arrays, with checksums
cleaning.py    contents as they are kept
ingest.py      contents out of git, in bulk
segment.py     some thousand blobs: their texts, and what is known of them
  blobs.py       which blobs these are
  grams.py       which pieces of them may hold three bytes in a row
  pieces.py      where these pieces are
  words.py       their words and the names they define, by tokens.py, postings.py and lexicon.py
manifest.py    which segments there are
store.py       all of a repository's segments, grown by one process at a time and read by many
  shelf.py       their blobs under one numbering
  used.py        the commits that were asked for
  writing.py     the lock of the one writer
trees.py       the entries of commits, with every tree read once
notes.py       what took long to find out of a content: definitions
library.py     the store with its git directory: adds what is missing
view.py        one commit over the store: the questions of `Index`
  layout.py      where its files are, and what of them is searched
  placing.py     where the entries of the commit before are
"""
