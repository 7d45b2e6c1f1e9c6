# %% [markdown]
# # Read runs and compare them in MLflow
#
# Every run leaves its settings, curves and scores in MLflow. This notebook reads them with MLflow's own Python interface: which
# runs there are, in which settings they differ, and how they learned.
#
# It reads the workspace that `train_and_predict.py` made. For another one, such as this repository after `make demo`, set
# `S2S_EXAMPLE_WORKSPACE`; for a server, set `MLFLOW_TRACKING_URI`.

# %%
import os
from pathlib import Path

import mlflow

WORKSPACE = Path(os.environ.get("S2S_EXAMPLE_WORKSPACE", "number_words_workspace"))
mlflow.set_tracking_uri(os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{(WORKSPACE / 'mlflow.db').resolve()}")

# %% [markdown]
# `search_runs` gives a table of pandas: a row a run, a column a setting or a score. The runs of the stages are below the run of the
# graph; here those of `train`, the latest first.

# %%
experiments = [experiment.name for experiment in mlflow.search_experiments() if experiment.name != "Default"]
runs = mlflow.search_runs(experiment_names=experiments, order_by=["attributes.start_time DESC"])
trainings = runs[runs["tags.mlflow.runName"].str.startswith("train")].dropna(axis=1, how="all")
print(f"{len(runs)} runs in {experiments}, of which {len(trainings)} are trainings")

# %% [markdown]
# The settings that are not the same in all trainings:

# %%
settings = trainings[[column for column in trainings if column.startswith("params.")]]
differing = settings.loc[:, settings.astype(str).nunique() > 1]
print(differing.rename(columns=lambda name: name.removeprefix("params.")).to_string(index=False))

# %% [markdown]
# What they reached on dev, beside that:

# %%
scores = trainings[[column for column in trainings if column.startswith("metrics.dev_")]]
table = differing.join(scores).rename(columns=lambda name: name.partition(".")[2])
print(table.to_string(index=False))

# %% [markdown]
# A curve is a list of points. Here the exact match on dev of each training, by step:

# %%
client = mlflow.MlflowClient()
curves = {
    run_id: [(point.step, point.value) for point in client.get_metric_history(run_id, "dev_exact_match")]
    for run_id in trainings["run_id"]
}
for run_id, points in curves.items():
    print(run_id[:8], " ".join(f"{step}:{value:.2f}" for step, value in points))
