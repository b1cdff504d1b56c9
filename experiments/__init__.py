"""Around DVC: what needs clones, remotes and MLflow. It calls the real `dvc` and `git`; no stage imports it."""
