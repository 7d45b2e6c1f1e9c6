# %% [markdown]
# # Call the served model
#
# `s2s serve` answers over HTTP as every model that MLflow serves does. Start it (here, after `make demo`, `make serve`), then run
# this notebook. `S2S_ADDRESS` names another server.

# %%
import os

import requests

ADDRESS = os.environ.get("S2S_ADDRESS", "http://127.0.0.1:5001")
session = requests.Session()
session.trust_env = False  # no proxy between this machine and itself; leave the line out for a server elsewhere

# %% [markdown]
# `/ready` answers 200 while the server answers requests.

# %%
print(session.get(f"{ADDRESS}/ready", timeout=60).status_code)

# %% [markdown]
# One request takes many sources. The answer has a row for each; the header names the version that answered, from which
# `s2s lineage` leads to its corpus.

# %%
reply = session.post(f"{ADDRESS}/invocations", json={"inputs": ["3 May 2031", "4. Juni 1999"]}, timeout=60)
reply.raise_for_status()
predictions = reply.json()["predictions"]
version = reply.headers["X-S2S-Model"]
for row in predictions:
    print(f"{row['score']:7.2f}  {row['prediction']}")
print(version)

# %% [markdown]
# `params` are the options of `s2s predict`: here a wider beam.

# %%
request = {"inputs": ["3 May 2031"], "params": {"beam_size": 8, "length_penalty": 0.6}}
print(session.post(f"{ADDRESS}/invocations", json=request, timeout=60).json()["predictions"][0]["prediction"])

# %% [markdown]
# Several hypotheses of one source, for people to choose from:

# %%
request = {"source": "3 May 2031", "tags": {}, "params": {"beam_size": 5}, "num_hypotheses": 3, "alignments": False}
choices = session.post(f"{ADDRESS}/try", json=request, timeout=60).json()
print(choices)

# %% [markdown]
# A request that is at fault gets status 400 and a message with the place. Status 503 means too busy or too late: ask again after
# the seconds in `Retry-After`.

# %%
fault = session.post(f"{ADDRESS}/invocations", json={"inputs": ["3 May 2031", None]}, timeout=60)
print(fault.status_code, fault.json()["message"])
