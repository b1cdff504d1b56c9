"""MLflow: runs logged to the project's own database, which is the record, and copied from there to a server.

origin.py: which run, under which study. runs.py: log one run. recording.py: log a finished study. sync.py: copy the
runs to MLFLOW_TRACKING_URI. relocation.py: a moved project folder. package.py and served.py: the model that is served.
"""
