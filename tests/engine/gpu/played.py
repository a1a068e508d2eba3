"""A GPU that the processor plays: tensors that call themselves `cuda:0`, and meet no tensor that does not.

It refuses what a real one refuses, and counts what is carried between the two memories. It says nothing of speed, of
memory or of kernels. What it replaces in torch is replaced for good: it wants a process of its own, and to be switched
on there before anything of ours is imported. Knows no model.
"""

import contextlib
import os
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import safetensors.torch
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing

GPU = torch.device("cuda", 0)
CPU = torch.device("cpu")
CARRIED: Counter[str] = Counter()  # "to the host", "to the device", and "waits": a shape depends on what is computed
_aten = torch.ops.aten
# An index may lie in the other memory, and is carried over.
_INDEXING = {_aten.index.Tensor, _aten.index_put.default, _aten.index_put_.default, _aten._index_put_impl_.default}
_OF_UNKNOWN_SHAPE = {_aten.nonzero.default, _aten.masked_select.default, _aten.repeat_interleave.Tensor}
_COPIES = {_aten.copy_.default, _aten._to_copy.default}


class OnGpu(Tensor):
    """A tensor whose numbers, `inner`, are in the processor's memory, and out of reach there."""

    inner: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> "OnGpu":
        made = Tensor._make_wrapper_subclass(
            cls,
            inner.size(),
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            layout=inner.layout,
            device=CPU,  # there is no other for what torch does in C++: gradients have no thread for a GPU
        )
        made.inner = inner
        return made

    def __repr__(self, **_: object) -> str:
        return f"OnGpu({self.inner!r})"

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        own = _OWN.get(func)
        return super().__torch_function__(func, types, args, kwargs) if own is None else own(*args, **(kwargs or {}))

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _dispatch(func, args, kwargs or {})


class _Down(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: OnGpu) -> Tensor:
        return x.inner.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient if isinstance(gradient, OnGpu) else OnGpu(gradient)


class _Up(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> OnGpu:
        return OnGpu(x.detach().clone())

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient.inner.clone() if isinstance(gradient, OnGpu) else gradient


def _down(tensor: OnGpu) -> Tensor:
    CARRIED["to the host"] += 1
    with torch._C.DisableTorchFunctionSubclass():
        return _Down.apply(tensor)


def _up(tensor: Tensor) -> OnGpu:
    CARRIED["to the device"] += 1
    with torch._C.DisableTorchFunction():
        return _Up.apply(tensor)


def _to(tensor: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """`Tensor.to`, whichever of its forms."""
    places = [each for each in (*args, kwargs.get("device")) if isinstance(each, (torch.device, str))]
    like = [each for each in args if isinstance(each, Tensor)]
    kinds = [each for each in (*args, kwargs.get("dtype")) if isinstance(each, torch.dtype)]
    place = _is_gpu((places or [each.device for each in like] or [tensor.device])[0])
    if place and not isinstance(tensor, OnGpu):
        tensor = _up(tensor)
    elif not place and isinstance(tensor, OnGpu):
        tensor = _down(tensor)
    elif kwargs.get("copy"):
        tensor = tensor.clone()
    kind = (kinds or [each.dtype for each in like] or [tensor.dtype])[0]
    with torch._C.DisableTorchFunctionSubclass(), torch._C.DisableTorchFunction():
        return Tensor.to(tensor, kind)


def _unreadable(*_: object, **__: object) -> None:
    raise TypeError("can't convert cuda:0 device type tensor to numpy.")


def _told(tensor: OnGpu) -> Any:
    CARRIED["to the host"] += 1
    return tensor.inner.tolist()


_OWN: dict[Any, Any] = {
    Tensor.device.__get__: lambda _: GPU,
    Tensor.is_cuda.__get__: lambda _: True,
    Tensor.is_cpu.__get__: lambda _: False,
    Tensor.get_device: lambda _: 0,
    Tensor.to: _to,
    Tensor.cpu: _down,
    Tensor.cuda: lambda tensor, *_, **__: tensor,
    Tensor.numpy: _unreadable,
    Tensor.__array__: _unreadable,
    Tensor.tolist: _told,
    Tensor.item: _told,
    Tensor.__bool__: lambda tensor: bool(_told(tensor)),
    Tensor.__float__: lambda tensor: float(_told(tensor)),
    Tensor.__int__: lambda tensor: int(_told(tensor)),
    Tensor.__index__: lambda tensor: int(_told(tensor)),
}


def _is_gpu(device: Any) -> bool:
    return torch.device(device).type == "cuda"


def _in_the_backward_pass() -> bool:
    """What C++ makes anew there is for gradients, on the device that it takes these tensors to be on."""
    frame = sys._getframe(2)
    while frame is not None and not frame.f_code.co_filename.endswith("torch/autograd/graph.py"):
        if not frame.f_code.co_filename.endswith(("_compile.py", "eval_frame.py", __file__)):
            return False
        frame = frame.f_back
    return frame is not None


def _dispatch(func: Any, args: Any, kwargs: Any) -> Any:
    """Carry out one operation of torch on the numbers, where a GPU would; its results lie where they would."""
    tensors = [each for each in pytree.tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
    here = any(isinstance(each, OnGpu) for each in tensors)
    device = kwargs.get("device")
    there = here
    if device is not None:
        there = _is_gpu(device) or ((here or func not in _COPIES) and _in_the_backward_pass())
    if here:
        _refuse_to_mix(func, args, tensors)
    if func is _aten.copy_.default and here and not isinstance(args[0], OnGpu):
        CARRIED["to the host"] += 1
        return args[0].copy_(args[1].inner)
    if func is _aten.copy_.default and here and not isinstance(args[1], OnGpu):
        CARRIED["to the device"] += 1
    if func in _OF_UNKNOWN_SHAPE and here:
        CARRIED["waits"] += 1
    if device is not None:
        kwargs = {**kwargs, "device": CPU}
    inner_args, inner_kwargs = pytree.tree_map_only(OnGpu, lambda each: each.inner, (args, kwargs))
    found = func(*inner_args, **inner_kwargs)
    if there:
        found = pytree.tree_map_only(Tensor, lambda each: each if isinstance(each, OnGpu) else OnGpu(each), found)
    return return_and_correct_aliasing(func, args, kwargs, found) if here and there else found


def _refuse_to_mix(func: Any, args: Any, tensors: list[Tensor]) -> None:
    """Raise RuntimeError where a GPU would; a number that is a tensor without dimensions may lie anywhere."""
    if func in _COPIES:
        return
    checked = tensors
    if func in _INDEXING:
        checked = [args[0], *(each for each in args[2:3] if isinstance(each, Tensor))]
        if not isinstance(args[0], OnGpu):
            raise RuntimeError("indices should be either on cpu or on the same device as the indexed tensor (cpu)")
        for each in args[1]:
            if each is not None and not isinstance(each, OnGpu):
                CARRIED["to the device"] += 1
            if each is not None and each.dtype == torch.bool:
                CARRIED["waits"] += 1
    if any(not isinstance(each, OnGpu) and each.dim() > 0 for each in checked):
        raise RuntimeError(f"Expected all tensors to be on the same device ({func})")


class _Operations(TorchDispatchMode):
    """Operations that make a tensor from none."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _dispatch(func, args, kwargs or {})


class _Carrying(TorchFunctionMode):
    """Calls that would ask the driver before any operation is carried out."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in (torch.tensor, torch.as_tensor) and _is_gpu(kwargs.get("device") or CPU):
            return _to(func(*args, **{**kwargs, "device": CPU}), GPU)
        if func is Tensor.to and not isinstance(args[0], OnGpu):
            return _to(*args, **kwargs)
        return func(*args, **kwargs)


def _load_file(filename: Any, device: Any = "cpu") -> dict[str, Tensor]:
    return {name: _to(tensor, device) for name, tensor in _load(filename).items()}


def _save_file(tensors: dict[str, Tensor], *args: Any, **kwargs: Any) -> None:
    _save({name: _to(tensor, CPU) for name, tensor in tensors.items()}, *args, **kwargs)


_load, _save = safetensors.torch.load_file, safetensors.torch.save_file


@contextlib.contextmanager
def played_gpu(generation: int) -> Iterator[None]:
    """From here on torch has one GPU of this generation, and tensors of the `with` block may lie there."""
    os.environ["HF_DEACTIVATE_ASYNC_LOAD"] = "1"  # other threads see no GPU
    # Tensors of a class of one's own have no views under torch's own.
    torch.inference_mode = lambda mode=True: torch.no_grad() if mode else contextlib.nullcontext()
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    torch.optim.Optimizer._accelerator_graph_capture_health_check = lambda _: None
    safetensors.torch.load_file, safetensors.torch.save_file = _load_file, _save_file
    for name, answer in {
        "_lazy_init": None,
        "is_available": True,
        "device_count": 1,
        "get_device_capability": (generation, 0),
        "mem_get_info": (8 << 30, 16 << 30),
        "memory_reserved": 0,
        "memory_allocated": 0,
        "current_device": 0,
        "max_memory_reserved": 1 << 30,
        "empty_cache": None,
        "get_rng_state_all": [],
        "manual_seed_all": None,
    }.items():
        setattr(torch.cuda, name, lambda *_, answer=answer, **__: answer)
    with _Operations(), _Carrying():
        yield
