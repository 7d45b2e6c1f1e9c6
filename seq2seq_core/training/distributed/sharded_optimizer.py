"""The optimiser's state divided among ranks (ZeRO stage 1, Rajbhandari 2020, section 5.1): each updates some of the parameters.

Every rank has the gradients summed over all ranks, so that any rank would make the same update of a parameter. Checkpoints hold
the whole state, so that any number of ranks can resume from them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.distributed as dist
from torch import Tensor, nn

from seq2seq_core.training.distributed.peer_watch import watch_peers
from seq2seq_core.training.distributed.ranks import Ranks


class ShardedOptimizer:
    """The part of an optimiser's state that a rank keeps; see :class:`~seq2seq_core.training.distributed.ranks.OptimizerShards`.

    Args:
        model: the same one on every rank.
        optimizer: new, of all its parameters; reduced to those that this rank updates.
        ranks: the process group.
    """

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer, ranks: Ranks) -> None:
        self.ranks = ranks
        parameters = dict(model.named_parameters())
        self.owners = dict(zip(parameters, choose_owners([one.numel() for one in parameters.values()], ranks.number), strict=True))
        self._owned = [
            [parameter for name, parameter in parameters.items() if self.owners[name] == rank] for rank in range(ranks.number)
        ]
        own = {id(parameter) for parameter in self._owned[ranks.rank]}
        for group in optimizer.param_groups:
            group["params"] = [parameter for parameter in group["params"] if id(parameter) in own]

    @torch.no_grad()
    def spread_weights(self) -> None:
        """See :class:`~seq2seq_core.training.distributed.ranks.OptimizerShards`."""
        with watch_peers():
            flats = [torch.cat([parameter.detach().flatten() for parameter in owned]) for owned in self._owned if owned]
            for rank, flat in zip([rank for rank, owned in enumerate(self._owned) if owned], flats, strict=True):
                dist.broadcast(flat, src=rank)
        for owned, flat in zip(filter(None, self._owned), flats, strict=True):
            for parameter, weights in zip(owned, torch.split(flat, [one.numel() for one in owned]), strict=True):
                parameter.copy_(weights.view_as(parameter))

    def gather(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """See :class:`~seq2seq_core.training.distributed.ranks.OptimizerShards`: tensor by tensor, to save memory."""
        whole = {key: value.detach().cpu() for key, value in tensors.items()}
        shapes = [(key, tuple(value.shape), value.dtype) for key, value in whole.items()]
        for rank, theirs in enumerate(self.ranks.gather(shapes)):
            for key, shape, dtype in theirs if rank else ():
                with watch_peers():
                    if self.ranks.rank == rank:
                        dist.send(whole[key].contiguous(), dst=0)
                    elif self.ranks.rank == 0:
                        whole[key] = torch.empty(shape, dtype=dtype)
                        dist.recv(whole[key], src=rank)
        return whole

    def select_own(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """See :class:`~seq2seq_core.training.distributed.ranks.OptimizerShards`."""
        return {key: value for key, value in tensors.items() if self.owners[key.split(".", 1)[1]] == self.ranks.rank}


def choose_owners(sizes: Sequence[int], number: int) -> list[int]:
    """The rank that updates each parameter: the largest first, each to the rank with the fewest elements so far.

    Args:
        sizes: elements of each parameter.
        number: number of ranks.
    """
    loads, owners = [0] * number, [0] * len(sizes)
    for place in sorted(range(len(sizes)), key=lambda place: -sizes[place]):
        owners[place] = loads.index(min(loads))
        loads[owners[place]] += sizes[place]
    return owners
