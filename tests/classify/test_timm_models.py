"""Families of timm at the sizes that lens images have, and one line for those that cannot."""

from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from darklens.classify import build_network, load_imagenet, network_spec
from darklens.classify.timm_models import create_backbone
from darklens.errors import BadModel

SMALL = [
    "convnext_atto",
    "efficientvit_b0",
    "ghostnet_050",
    "lcnet_035",
    "mobilenetv3_small_050",
    "regnetx_002",
    "resnet10t",
    "starnet_s1",
    "test_efficientnet",
    "test_vit2",
    "deit_tiny_patch16_224",
    "vit_tiny_patch16_224",
]
LARGE = [
    "coat_lite_tiny",
    "convit_tiny",
    "mixer_s32_224",
    "mvitv2_tiny",
    "pvt_v2_b0",
    "swin_tiny_patch4_window7_224",
    "swinv2_tiny_window8_256",
    "vgg11",
    "xcit_nano_12_p16_224",
]


def works(name: str, size: int) -> None:
    network = build_network({"name": "backbone", "backbone": name}, size=(size, size))
    with torch.no_grad():
        logits = network.eval()(torch.randn(2, 1, size, size))
    assert logits.shape == (2, 3)
    assert logits.isfinite().all()
    again = build_network(network_spec(network))  # as from a card, which knows no other size
    again.load_state_dict(network.state_dict())


@pytest.mark.parametrize("name", SMALL)
def test_families_of_timm_work_at_150_pixels(name: str) -> None:
    works(name, 160 if name == "test_vit2" else 150)


@pytest.mark.slow
@pytest.mark.parametrize("size", [64, 150])
@pytest.mark.parametrize("name", SMALL[:-3] + SMALL[-2:] + LARGE)
def test_more_families_work_at_both_sizes(name: str, size: int) -> None:
    works(name, size)


def test_a_size_that_does_not_fit_is_one_line_with_sizes_that_do() -> None:
    with pytest.raises(BadModel) as caught:
        build_network({"name": "backbone", "backbone": "levit_128s"}, size=(150, 150))
    message = str(caught.value)
    assert "'levit_128s' does not take 150 x 150 pixels" in message
    assert "it takes 128 or 160 or 224" in message
    assert "{center_crop: {size: 128}}" in message
    assert "\n" not in message


def test_other_sizes_than_the_networks_and_oblong_images_are_one_line() -> None:
    with pytest.raises(BadModel, match=r"does not take images of 64 x 80 pixels.*crop them"):
        build_network({"name": "backbone", "backbone": "vit_tiny_patch16_224"}, size=(64, 80))
    with pytest.raises(BadModel, match="takes 100 x 100 pixels"):
        build_network({"name": "reference"}, size=(64, 64))
    spec = {"name": "backbone", "backbone": "mobilenetv3_small_050", "pool": "attention"}
    with pytest.raises(BadModel, match="only pool: avg suits it"):
        build_network(spec, size=(64, 64))


def test_maps_are_pooled_as_ever_and_random_numbers_are_drawn_once() -> None:
    torch.manual_seed(3)
    network = build_network({"name": "backbone", "backbone": "test_resnet"}, size=(64, 64)).eval()
    assert not network.pooled
    assert network_spec(network)["size"] == 0
    torch.manual_seed(3)
    backbone = timm.create_model("test_resnet", in_chans=1, num_classes=0, global_pool="").eval()
    images = torch.randn(2, 1, 64, 64)
    with torch.no_grad():
        pooled = backbone(images).flatten(2).mean(-1)
        torch.testing.assert_close(network.logits(images), network.linear(pooled))


def test_features_behind_the_pooling_are_timms_own() -> None:
    made = create_backbone("mobilenetv3_small_050", 1, {}, size=64, pooled=True)
    assert (made.pooled, made.fixed, made.width) == (True, False, made.network.head_hidden_size)


def test_imagenet_weights_of_another_size_are_resampled(tmp_path: Path) -> None:
    state = timm.create_model("test_vit").state_dict()
    save_file(state, tmp_path / "weights.safetensors")
    network = build_network({"name": "backbone", "backbone": "test_vit"}, size=(64, 64))
    load_imagenet(network, tmp_path / "weights.safetensors")
    first = network.backbone.patch_embed.proj.weight.detach().numpy()
    expected = state["patch_embed.proj.weight"].sum(1, keepdim=True).numpy()
    np.testing.assert_allclose(first, expected)
