"""Flow networks: their layers by hand, their sizes by the published ones, what they learn from."""

import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from facewarp.core import fields
from facewarp.errors import FacewarpError
from facewarp.training import losses
from facewarp.training.baselines.faces import synthetic_flow
from facewarp.training.baselines.faces.dis_flow import dis_flow
from facewarp.training.baselines.faces.flownet import (
    FlowConfig,
    FlowNet,
    correlation,
    flow_field,
    published_flownet,
)
from facewarp.training.baselines.faces.spline_flownet import SplineFlowNet
from facewarp.training.baselines.faces.unregistered import rest
from facewarp.training.config.presets import PRESETS


def test_features_are_most_alike_where_they_were_moved_to() -> None:
    random = torch.Generator().manual_seed(0)
    fixed = torch.randn(1, 64, 12, 14, generator=random)
    moving = torch.roll(fixed, (2, -4), dims=(2, 3))
    alike = correlation(fixed, moving, reach=4, stride=2)
    assert alike.shape == (1, 25, 12, 14)
    rows, columns = np.divmod(alike[0, :, 4:8, 5:9].argmax(0).numpy(), 5)
    np.testing.assert_array_equal(2 * rows - 4, 2)
    np.testing.assert_array_equal(2 * columns - 4, -4)


def test_correlation_by_hand() -> None:
    fixed, moving = torch.tensor([[[[1.0, 2.0]], [[3.0, 4.0]]]]), torch.ones(1, 2, 1, 2)
    alike = correlation(fixed, moving, reach=1, stride=1)
    np.testing.assert_allclose(alike[0, 4, 0], [2, 3])  # in place
    np.testing.assert_allclose(alike[0, 5, 0], [2, 0])  # one to the right: outside at the edge
    np.testing.assert_allclose(alike[0, 1, 0], [0, 0])  # one up


@pytest.mark.parametrize(("reach", "stride"), [(2, 1), (6, 2), (6, 3)])
def test_correlation_sums_channels_at_each_displacement(reach: int, stride: int) -> None:
    random = torch.Generator().manual_seed(5)
    fixed, moving = torch.randn(2, 2, 3, 7, 5, generator=random, dtype=torch.float64)
    for each in (fixed, moving):
        each.requires_grad_()
    padded = torch.nn.functional.pad(moving, [reach] * 4)
    steps = range(0, 2 * reach + 1, stride)
    shifted = [padded[..., y : y + 7, x : x + 5] for y in steps for x in steps]
    expected = torch.stack([(fixed * one).mean(1) for one in shifted], 1)
    found = correlation(fixed, moving, reach, stride)
    torch.testing.assert_close(found, expected)
    weights = torch.randn(expected.shape, generator=random, dtype=torch.float64)
    ours = torch.autograd.grad((found * weights).sum(), (fixed, moving))
    theirs = torch.autograd.grad((expected * weights).sum(), (fixed, moving))
    torch.testing.assert_close(ours, theirs)


def test_a_reach_between_displacements_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple"):
        correlation(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4), reach=3, stride=2)


@pytest.mark.parametrize(("kind", "size"), [("flownets", 38676504), ("flownetc", 39175298)])
def test_networks_of_full_width_have_the_published_size(kind: str, size: int) -> None:
    with torch.device("meta"):
        net = FlowNet(FlowConfig(kind, 64, 3))
    assert sum(p.numel() for p in net.parameters()) == pytest.approx(size, rel=1e-3)


@pytest.mark.parametrize("kind", ["flownets", "flownetc"])
def test_flows_come_at_five_scales(kind: str) -> None:
    net = FlowNet(FlowConfig(kind, 2))
    image = torch.rand(1, 1, 320, 260)
    with torch.inference_mode():
        shapes = [tuple(flow.shape[2:]) for flow in net(image, image)]
        assert shapes == [(80, 65), (40, 33), (20, 17), (10, 9), (5, 5)]
        assert net.field(image, image).shape == (1, 2, 320, 260)


def test_a_published_checkpoint_is_taken(tmp_path: Path) -> None:
    net = FlowNet(FlowConfig("flownetc", 2, 3)).eval()
    path = tmp_path / "flownetc.pth.tar"
    torch.save({"state_dict": net.state_dict(), "arch": "flownetc"}, path)
    again = published_flownet(path)
    assert again.config == net.config
    picture = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    np.testing.assert_array_equal(
        flow_field(again, picture, picture), flow_field(net, picture, picture)
    )


class Harmful:
    """What runs code when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("harm"),))


def test_other_checkpoints_are_refused_and_run_no_code(folder: Path) -> None:
    (folder / "bad.pth").write_bytes(pickle.dumps(Harmful()))
    (folder / "text.pth").write_text("weights")
    torch.save({"state_dict": {"conv1.0.weight": torch.zeros(4, 2, 3, 3)}}, folder / "else.pth")
    for name in ("bad", "text", "else"):
        with pytest.raises(FacewarpError, match="no checkpoint of FlowNet"):
            published_flownet(folder / f"{name}.pth")
    assert not (folder / "harm").exists()
    with pytest.raises(FacewarpError, match="no such file"):
        published_flownet(folder / "none.pth")


def test_the_flow_of_a_bent_pair_carries_moving_onto_fixed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(synthetic_flow, "_relit", lambda images, random: images)
    images = torch.rand(2, 1, 64, 52)
    random = torch.Generator().manual_seed(1)
    fixed, moving, flow = synthetic_flow.bent_pair(images, random)
    torch.testing.assert_close(fields.warp(moving, flow), fixed)
    assert flow.abs().mean() > 3


def test_opencvs_flow_follows_a_shift() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (320, 260), dtype=np.uint8)
    fixed = cv2.GaussianBlur(noise, (0, 0), 4)
    fixed = cv2.normalize(fixed, None, 0, 255, cv2.NORM_MINMAX)
    moving = np.roll(fixed, (3, -5), axis=(0, 1))
    field = dis_flow()(fixed, moving)
    inner = field[:, 40:280, 40:220]
    np.testing.assert_allclose(np.median(inner, axis=(1, 2)), [-5, 3], atol=0.3)


def test_no_registration_moves_nothing() -> None:
    picture = np.zeros((320, 260), np.uint8)
    assert not rest(picture, picture).any()
    assert rest(picture, picture).shape == (2, 320, 260)


def test_a_spline_flownet_begins_at_rest() -> None:
    net = SplineFlowNet(2).eval()
    image = torch.rand(2, 1, 320, 260)
    with torch.inference_mode():
        field = net.field(image, image.flip(-1))
    assert field.shape == (2, 2, 320, 260)
    assert field.abs().max() < 0.5


def test_spline_flownet_has_the_papers_roughness_loss() -> None:
    net = SplineFlowNet(2).eval()
    labels = torch.zeros(1, 320, 260, dtype=torch.uint8)
    image = torch.rand(1, 1, 320, 260)
    batch = {"fixed": image, "moving": image, "fixed_labels": labels, "moving_labels": labels}
    weights = torch.ones(8)
    with torch.no_grad():
        calm = net.terms(batch, weights)["field"]
        torch.nn.init.normal_(net.head[-1].get_parameter("weight"), std=1.0)
        rough = net.terms(batch, weights)["field"]
        found = losses.roughness(net(image, image), (320, 260))
    torch.testing.assert_close(rough, PRESETS["paper-unguided"].loss.roughness * found)
    assert rough > 100 * calm
