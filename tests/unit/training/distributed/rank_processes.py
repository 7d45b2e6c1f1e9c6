"""Runs functions as ranks of one process group, in processes forked from a server that has PyTorch loaded: they start at once."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import torch

from seq2seq_core.training.distributed.launcher import rank_variables, serve_rendezvous
from tests.prepared_processes import CONTEXT


def run_on_ranks(number: int, function: Callable[..., Any], *arguments: Any) -> list[Any]:
    """What a function returns on each rank; an exception that it raised stands for the result.

    Args:
        number: of ranks.
        function: of a module that can be imported.
        arguments: of the function.
    """
    with serve_rendezvous() as rendezvous:
        pipes, processes = [], []
        for rank in range(number):
            receiver, sender = CONTEXT.Pipe(duplex=False)
            variables = rank_variables(rank, number, rendezvous) | {"GLOO_SOCKET_IFNAME": "lo"}
            process = CONTEXT.Process(target=_run, args=(sender, variables, function, arguments))
            process.start()
            sender.close()
            pipes.append(receiver)
            processes.append(process)
        try:
            return [pickle.loads(pipe.recv_bytes()) if pipe.poll(300) else TimeoutError("a rank hangs") for pipe in pipes]
        finally:
            for process in processes:
                process.join(10)
                process.kill()
                process.join()


def _run(sender: Connection, variables: dict[str, str], function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    os.environ.update(variables)
    torch.set_num_threads(1)
    try:
        result = function(*arguments)
    except BaseException as error:  # noqa: BLE001 - the test looks at it
        # An error of several arguments does not survive being pickled: what tests look at is its type and its message.
        result = (type(error).__name__, str(error))
    sender.send_bytes(pickle.dumps(result))  # by value: a tensor sent as such would end with this process
