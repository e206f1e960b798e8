"""The configurations for `accelerate launch` are what accelerate takes, and multiply to the paper's update of 64."""

import re
from importlib import resources
from pathlib import Path

import pytest
import torch
import yaml
from accelerate.commands.config.config_args import ClusterConfig
from accelerate.utils import DistributedType

from avem_train.backbones import loading

FILES = sorted(Path(str(resources.files("avem_train.launch"))).glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_accelerate_reads_it(path):
    read = ClusterConfig.from_yaml_file(str(path))
    gpus = int(re.match(r"gpus_(\d+)", path.stem)[1])
    assert read.num_processes == gpus
    assert read.num_machines == max(1, gpus // 8)
    assert read.mixed_precision == "bf16"
    batch, accumulation = (int(value) for value in re.findall(r"(?:batch|accumulation)=(\d+)", path.read_text()))
    assert batch * accumulation * gpus == 64
    kind = path.stem.partition(f"gpus_{gpus}")[2].strip("_")
    if kind.startswith("zero"):
        assert read.distributed_type == DistributedType.DEEPSPEED
        assert read.deepspeed_config["zero_stage"] == int(kind[-1])
        # transformers fills in what is left out, and refuses another value than the recipe's
        assert not {"gradient_accumulation_steps", "gradient_clipping"} & set(read.deepspeed_config)
    elif kind.startswith("fsdp"):
        assert read.distributed_type == DistributedType.FSDP
        assert read.fsdp_config["fsdp_version"] == 2
    else:
        assert read.distributed_type == (DistributedType.MULTI_GPU if gpus > 1 else DistributedType.NO)


@pytest.mark.parametrize(
    ("kind", "model"), [("fsdp", "tiny_avere"), ("fsdp", "tiny_emotion_llama"), ("fsdp_omni", "tiny_omni")]
)
def test_fsdp_shares_out_the_layers_that_the_model_has(kind, model, request):
    folder = request.getfixturevalue(model)
    loaded = loading.load(folder, torch.device("cpu"), torch.float32, 0)
    layers = {type(layer).__name__ for layer in loaded.model.get_decoder().layers}
    loaded.close()
    for gpus in (8, 64):
        read = ClusterConfig.from_yaml_file(str(FILES[0].with_name(f"gpus_{gpus}_{kind}.yaml")))
        assert {read.fsdp_config["fsdp_transformer_layer_cls_to_wrap"]} == layers


def test_every_size_and_way_is_there():
    assert {path.stem for path in FILES} == {"gpus_1"} | {
        f"gpus_{gpus}{kind}" for gpus in (8, 64) for kind in ("", "_zero2", "_zero3", "_fsdp", "_fsdp_omni")
    }
    assert all(yaml.safe_load(path.read_text()) for path in FILES)
