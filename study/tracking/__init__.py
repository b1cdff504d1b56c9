"""MLflow: runs logged to the project's own database, which is the record, and copied from there to a server.

database.py: open mlflow.db. runs.py: which run a stage logs to, and logging to it. recording.py: log a finished study.
sync.py: copy the runs to MLFLOW_TRACKING_URI. package.py and served.py: the model that is served.
"""
