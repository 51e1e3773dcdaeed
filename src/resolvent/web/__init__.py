"""The page on which photographs are dropped, and the API behind it: ``resolvent serve``.

A request becomes a job with a private folder; a worker process restores it as the command line does, one photograph at
a time, and is killed when the job is canceled. The server itself never decodes an image.
"""
