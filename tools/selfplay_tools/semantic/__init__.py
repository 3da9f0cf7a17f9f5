"""Search by meaning: texts cut into chunks, their embeddings by an endpoint or a local model, kept on disk.

chunks      a file's text in pieces, cut where definitions begin and end
embedding   what turns texts into vectors: an endpoint, or a model that runs here
segment     vectors and chunks of some blobs as one file
store       all segments of one model: grown, bounded, repaired
lookup      the chunks of one commit and their nearest vectors
meaning     all of it together: embed what is missing, then search
tool        `semantic_search` itself
"""
