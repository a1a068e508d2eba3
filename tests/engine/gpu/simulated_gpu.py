"""A GPU simulated on the CPU: tensors that say they are on `cuda:0` and cannot be mixed with tensors that are not.

It rejects what a real one rejects, and counts transfers between the two memories. It shows nothing about speed, memory
or kernels. It patches torch for good, so it needs its own process, and must be switched on there before any module of
`engine` is imported. Knows nothing of models.
"""

import contextlib
import os
import sys
from collections import Counter
from collections.abc import Iterator
from types import FrameType
from typing import Any

import safetensors.torch
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing

GPU = torch.device("cuda", 0)
CPU = torch.device("cpu")
# "to the host", "to the device"; "queued": to the device, without waiting; "waits": a shape depends on computed values
TRANSFERS: Counter[str] = Counter()
_aten = torch.ops.aten
# An index may be in the other memory and is transferred.
_INDEXING = {_aten.index.Tensor, _aten.index_put.default, _aten.index_put_.default, _aten._index_put_impl_.default}
_DATA_DEPENDENT_SHAPE = {_aten.nonzero.default, _aten.masked_select.default, _aten.repeat_interleave.Tensor}
_COPIES = {_aten.copy_.default, _aten._to_copy.default}


class OnGpu(Tensor):
    """A tensor whose values, `held`, are in CPU memory but not accessible from there."""

    held: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> "OnGpu":
        tensor = Tensor._make_wrapper_subclass(
            cls,
            inner.size(),
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            layout=inner.layout,
            device=CPU,  # torch's C++ code allows no other: autograd has no thread for a GPU here
        )
        tensor.held = inner
        return tensor

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        own = _OWN.get(func)
        return super().__torch_function__(func, types, args, kwargs) if own is None else own(*args, **(kwargs or {}))

    # As torch calls them: its own type of the second does not have `func`, and mypy takes no argument for the first.
    __repr__: Any = lambda self, **_: f"OnGpu({self.held!r})"
    __torch_dispatch__: Any = classmethod(
        lambda _cls, func, _types, args=(), kwargs=None: _dispatch(func, args, kwargs or {})
    )


class _ToHost(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: OnGpu) -> Tensor:
        return x.held.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient if isinstance(gradient, OnGpu) else OnGpu(gradient)


class _ToDevice(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> OnGpu:
        return OnGpu(x.detach().clone())

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient.held.clone() if isinstance(gradient, OnGpu) else gradient


def _to_host(tensor: OnGpu) -> Tensor:
    TRANSFERS["to the host"] += 1
    with torch._C.DisableTorchFunctionSubclass():
        copied: Tensor = _ToHost.apply(tensor)
    return copied


def _to_device(tensor: Tensor, *, queued: bool = False) -> OnGpu:
    TRANSFERS["queued" if queued else "to the device"] += 1
    with torch._C.DisableTorchFunction():
        copied: OnGpu = _ToDevice.apply(tensor)
    return copied


def _to(tensor: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """`Tensor.to` in any of its forms."""
    devices = [each for each in (*args, kwargs.get("device")) if isinstance(each, (torch.device, str))]
    like = [each for each in args if isinstance(each, Tensor)]
    dtypes = [each for each in (*args, kwargs.get("dtype")) if isinstance(each, torch.dtype)]
    on_gpu = _is_gpu((devices or [each.device for each in like] or [tensor.device])[0])
    if on_gpu and not isinstance(tensor, OnGpu):
        tensor = _to_device(tensor, queued=kwargs.get("non_blocking", False))
    elif not on_gpu and isinstance(tensor, OnGpu):
        tensor = _to_host(tensor)
    elif kwargs.get("copy"):
        tensor = tensor.clone()
    dtype = (dtypes or [each.dtype for each in like] or [tensor.dtype])[0]
    with torch._C.DisableTorchFunctionSubclass(), torch._C.DisableTorchFunction():
        return Tensor.to(tensor, dtype)


def _unreadable(*_: object, **__: object) -> None:
    raise TypeError("can't convert cuda:0 device type tensor to numpy.")


def _read(tensor: OnGpu) -> Any:
    TRANSFERS["to the host"] += 1
    return tensor.held.tolist()


_Properties: Any = Tensor  # torch's types say what reading one returns, not that the class holds a descriptor
_OWN: dict[Any, Any] = {
    _Properties.device.__get__: lambda _: GPU,
    _Properties.is_cuda.__get__: lambda _: True,
    _Properties.is_cpu.__get__: lambda _: False,
    Tensor.get_device: lambda _: 0,
    Tensor.to: _to,
    Tensor.cpu: _to_host,
    Tensor.cuda: lambda tensor, *_, **__: tensor,
    Tensor.numpy: _unreadable,
    Tensor.__array__: _unreadable,
    Tensor.tolist: _read,
    Tensor.item: _read,
    Tensor.__bool__: lambda tensor: bool(_read(tensor)),
    Tensor.__float__: lambda tensor: float(_read(tensor)),
    Tensor.__int__: lambda tensor: int(_read(tensor)),
    Tensor.__index__: lambda tensor: int(_read(tensor)),
}


def _is_gpu(device: Any) -> bool:
    return torch.device(device).type == "cuda"


def _in_the_backward_pass() -> bool:
    """Whether C++ code creates a tensor for gradients here, on the device where it believes these tensors to be."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and not frame.f_code.co_filename.endswith("torch/autograd/graph.py"):
        if not frame.f_code.co_filename.endswith(("_compile.py", "eval_frame.py", __file__)):
            return False
        frame = frame.f_back
    return frame is not None


def _dispatch(func: Any, args: Any, kwargs: Any) -> Any:
    """Run one torch operation on the values if a GPU would; its results are on the device where they would be."""
    tensors = [each for each in pytree.tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
    has_gpu_input = any(isinstance(each, OnGpu) for each in tensors)
    device = kwargs.get("device")
    gpu_result = has_gpu_input
    if device is not None:
        gpu_result = _is_gpu(device) or ((has_gpu_input or func not in _COPIES) and _in_the_backward_pass())
    if has_gpu_input:
        _refuse_to_mix(func, args, tensors)
    if func is _aten.copy_.default and has_gpu_input and not isinstance(args[0], OnGpu):
        TRANSFERS["to the host"] += 1
        return args[0].copy_(args[1].held)
    if func is _aten.copy_.default and has_gpu_input and not isinstance(args[1], OnGpu):
        TRANSFERS["to the device"] += 1
    if func in _DATA_DEPENDENT_SHAPE and has_gpu_input:
        TRANSFERS["waits"] += 1
    if device is not None:
        kwargs = {**kwargs, "device": CPU}
    inner_args, inner_kwargs = pytree.tree_map_only(OnGpu, lambda each: each.held, (args, kwargs))
    if func is _aten.bmm.dtype:  # only a GPU has it
        result = torch.bmm(*(each.to(inner_args[2]) for each in inner_args[:2]))
    else:
        result = func(*inner_args, **inner_kwargs)
    if gpu_result:
        result = pytree.tree_map_only(Tensor, lambda each: each if isinstance(each, OnGpu) else OnGpu(each), result)
    return return_and_correct_aliasing(func, args, kwargs, result) if has_gpu_input and gpu_result else result


def _refuse_to_mix(func: Any, args: Any, tensors: list[Tensor]) -> None:
    """Raise RuntimeError if a GPU would; a tensor without dimensions may be in either memory."""
    if func in _COPIES:
        return
    checked = tensors
    if func in _INDEXING:
        checked = [args[0], *(each for each in args[2:3] if isinstance(each, Tensor))]
        if not isinstance(args[0], OnGpu):
            raise RuntimeError("indices should be either on cpu or on the same device as the indexed tensor (cpu)")
        for each in args[1]:
            if each is not None and not isinstance(each, OnGpu):
                TRANSFERS["to the device"] += 1
            if each is not None and each.dtype == torch.bool:
                TRANSFERS["waits"] += 1
    if any(not isinstance(each, OnGpu) and each.dim() > 0 for each in checked):
        raise RuntimeError(f"Expected all tensors to be on the same device ({func})")


class _Operations(TorchDispatchMode):
    """Intercepts operations that create a tensor from none."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _dispatch(func, args, kwargs or {})


class _Transfers(TorchFunctionMode):
    """Intercepts calls that would reach the driver before any operation is dispatched."""

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
def simulated_gpu(generation: int) -> Iterator[None]:
    """Give torch one GPU of this generation (compute capability); in the `with` block, tensors can be on it."""
    os.environ["HF_DEACTIVATE_ASYNC_LOAD"] = "1"  # other threads do not see the simulated GPU
    # Tensor subclasses have no views in torch's own inference mode.
    replaced: tuple[tuple[object, str, object], ...] = (
        (torch, "inference_mode", lambda mode=True: torch.no_grad() if mode else contextlib.nullcontext()),
        (Tensor, "pin_memory", lambda tensor, *_: tensor),  # page-locked memory looks like any other
        (torch.optim.Optimizer, "_accelerator_graph_capture_health_check", lambda _: None),
        (safetensors.torch, "load_file", _load_file),
        (safetensors.torch, "save_file", _save_file),
    )
    for owner, name, value in replaced:
        setattr(owner, name, value)
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    answers: dict[str, object] = {
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
        "reset_peak_memory_stats": None,
        "get_rng_state_all": [],
        "manual_seed_all": None,
    }
    for name, answer in answers.items():
        setattr(torch.cuda, name, lambda *_, answer=answer, **__: answer)
    with _Operations(), _Transfers():
        yield
