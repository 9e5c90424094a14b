"""A program that rounds as INT8 arithmetic does but computes in float: for measuring, and for finetuning."""

import copy
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.fx import GraphModule, Node
from torchao.quantization.pt2e import FakeQuantize, allow_exported_model_train_eval
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_qat_pt2e

from compress.quantization.calibration import Ranges
from compress.quantization.layers import is_convolution, is_sum, layer_name
from compress.quantization.learnt_range import LearntRange
from compress.quantization.quantizer import Int8Quantizer


class FakeQuantised(nn.Module):
    """lr [N, 3, h, w] in [0, 1] -> sr, every INT8 tensor rounded to its levels; gradients pass through the rounding.

    The activations' scales begin with what was measured; those of the weights follow the weights.
    """

    def __init__(self, graph: GraphModule, keep_float: Collection[str], ranges: Ranges) -> None:
        """A float program, which is copied; the names of what stays in float; the largest magnitude of
        every other tensor, as ``measure_ranges`` gives them for the same ``keep_float``.
        """
        super().__init__()
        self.program = prepare_qat_pt2e(copy.deepcopy(graph), Int8Quantizer(keep_float))
        _share_names(self.program)
        for node, fake in self._fake_quants():
            if isinstance(fake, LearntRange):
                fake.set_range(ranges[node.all_input_nodes[0].name])
            else:
                fake(self.program.get_parameter(str(node.all_input_nodes[0].target)))  # gives its scales their shape
        for parameter in self.program.parameters():
            parameter.requires_grad_(True)

    def forward(self, lr: Tensor) -> Tensor:
        sr: Tensor = self.program(lr)
        return sr

    def train(self, mode: bool = True) -> "FakeQuantised":
        """Nothing: an exported program computes the same in both modes, and PT2E's refuse to be asked."""
        self.training = mode
        return self

    def layer_fake_quants(self) -> dict[str, tuple[FakeQuantize, ...]]:
        """Fake quantisations by the INT8 layer's name: of a convolution's input and weights, of a sum's result."""
        by_layer: dict[str, tuple[FakeQuantize, ...]] = {}
        by_node = dict(self._fake_quants())
        for node in self.program.graph.nodes:
            sources = node.all_input_nodes[:2] if is_convolution(node) else list(node.users) if is_sum(node) else []
            fakes = [by_node[source] for source in sources if source in by_node]
            if len(fakes) == (2 if is_convolution(node) else 1):
                by_layer[layer_name(node)] = tuple(fakes)
        return by_layer

    @contextmanager
    def only(self, fake_quants: Collection[FakeQuantize]) -> Iterator[None]:
        """Within this context only these fake quantisations round."""
        all_fake_quants = {fake for _, fake in self._fake_quants()}
        for fake in all_fake_quants:
            fake.enable_fake_quant(fake in fake_quants)
        try:
            yield
        finally:
            for fake in all_fake_quants:
                fake.enable_fake_quant()

    @torch.no_grad()
    def converted(self, tile: Tensor) -> GraphModule:
        """A copy with int8 weights and explicit quantisation, on the CPU; ``tile`` [N, 3, h, w] is any picture."""
        program = copy.deepcopy(self).cpu().program
        program(tile)  # scales of the weights as they are now, which after averaging are not those of the last step
        for parameter in program.parameters():
            parameter.data = parameter.data.contiguous()  # training had them channels-last; engines read plain ones
        converted = convert_pt2e(program)
        allow_exported_model_train_eval(converted)  # torch.export asks for eval mode
        used = {str(node.target) for node in converted.graph.nodes if node.op == "get_attr"}
        for name in [name for name, _ in converted.named_parameters() if name not in used]:
            owner, _, attribute = name.rpartition(".")
            delattr(converted.get_submodule(owner), attribute)  # the float weights, which int8 ones stand in for
        return converted

    def _fake_quants(self) -> Iterator[tuple[Node, FakeQuantize]]:
        for node in self.program.graph.nodes:
            if node.op == "call_module" and isinstance(module := self.program.get_submodule(node.target), FakeQuantize):
                yield node, module


def _share_names(program: GraphModule) -> None:
    """One name for each fake quantisation: PT2E gives those that several tensors share one for each, and checkpoints
    would hold them as often.
    """
    names: dict[nn.Module, str] = {}
    for node in program.graph.nodes:
        if node.op == "call_module":
            module = program.get_submodule(str(node.target))
            first = names.setdefault(module, str(node.target))
            if first != node.target:
                delattr(program, str(node.target))
                node.target = first
    program.recompile()
