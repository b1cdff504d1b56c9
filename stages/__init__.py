"""One short script a stage: read params, call bsn, write outs. No stage imports another stage."""
