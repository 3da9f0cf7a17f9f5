"""A store of texts by git's blob ids, in mapped memory: what an index over many commits of a repository is made of.

array_file.py           immutable files of named arrays, with checksums
blob_table.py           contents as they are kept, and which blobs a segment holds
bulk_reader.py          contents out of git, in bulk
blob_segment.py         some thousand blobs: their texts, and what is known of them
  trigram_signatures.py   which pieces of them may hold three bytes in a row
  word_index.py           their words and the names they define, by word_numbers.py
segment_store.py        all of a repository's segments, grown by one process at a time and read by many
  blob_catalog.py         their blobs under one numbering, and those of the commit looked up last
  store_files.py          the manifest, the lock of the one writer, the commits that were asked for
tree_reader.py          the entries of commits, with every tree read once
sqlite_notes.py         what took long to find out about a content: definitions
repository_index.py     the store with its git directory: adds what is missing, in the background (background.py)
commit_index.py         one commit over the store: implements `TextIndex`
  commit_layout.py        where its files are, and what of them is searched
"""
