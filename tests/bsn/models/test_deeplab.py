import torch

from bsn.models.deeplab import ASPP, DeepLabV2
from bsn.models.layers import upsample


def small(**options):
    torch.manual_seed(0)
    return DeepLabV2(classes=3, backbone="resnet18", base_width=4, **options).eval()


def test_aspp_sums_four_rates():
    aspp = ASPP(5, 2)
    x = torch.randn(1, 5, 9, 7)
    expected = 0
    for rate, conv in zip((6, 12, 18, 24), aspp.convs, strict=True):
        expected = expected + torch.nn.functional.conv2d(x, conv.weight, conv.bias, padding=rate, dilation=rate)
    assert torch.allclose(aspp(x), expected, atol=1e-6)


def test_the_prediction_is_the_element_wise_maximum_of_the_branches():
    output = small()(torch.randn(1, 6, 64, 48))
    assert len(output.branches) == 3
    assert torch.equal(output.fused, torch.stack(output.branches).amax(dim=0))


def test_branches_share_their_weights_and_see_the_photo_at_their_scales():
    model, x = small(scales=(0.5, 1.0)), torch.randn(1, 6, 64, 48)
    half = torch.nn.functional.interpolate(x, size=(32, 24), mode="bilinear", align_corners=False)
    expected = upsample(model.aspp(model.backbone(half)), (8, 6))
    assert torch.allclose(model(x).branches[1], expected, atol=1e-6)


def test_branches_with_odd_grids_are_resized_to_the_largest():
    # 400 gives grids of 50, 38 and 25, which the official network cannot take.
    output = small()(torch.zeros(1, 6, 400, 400))
    assert {tuple(branch.shape[-2:]) for branch in output.branches} == {(50, 50)}


def test_attributes_come_from_the_pooled_features_of_the_full_scale():
    model, x = small(attributes=2), torch.randn(3, 6, 64, 48)
    pooled = model.backbone(x).mean(dim=(2, 3))
    output = model(x).attributes
    assert output.shape == (1, 3, 2, 2)
    (classifier,) = model.attribute_branch
    assert torch.allclose(output[0, :, 1], classifier.classifiers[1](pooled), atol=1e-6)


def test_each_branch_may_have_an_attribute_classifier_of_its_own():
    model, x = small(attributes=1, attribute_classifiers="each"), torch.randn(2, 6, 64, 48)
    output = model(x).attributes
    assert output.shape == (3, 2, 1, 2)
    for scale, classifier, told in zip((1.0, 0.75, 0.5), model.attribute_branch, output, strict=True):
        scaled = upsample(x, [round(side * scale) for side in (64, 48)])
        pooled = model.backbone(scaled).mean(dim=(2, 3))
        assert torch.allclose(told[:, 0], classifier.classifiers[0](pooled), atol=1e-6)


def test_the_paper_s_attribute_branch_has_two_layers_of_1024():
    branch = DeepLabV2(classes=3, backbone="resnet18", base_width=64, attributes=1).attribute_branch
    layers = [m for m in branch[0].classifiers[0] if isinstance(m, torch.nn.Linear)]
    assert [(m.in_features, m.out_features) for m in layers] == [(512, 1024), (1024, 1024), (1024, 2)]


def test_every_parameter_has_one_multiplier_and_biases_of_new_layers_have_no_decay():
    model = small(attributes=1)
    groups = model.parameter_groups(head_lr_multiplier=10)
    assert [group["multiplier"] for group in groups] == [1, 10, 20]
    assert groups[2]["weight_decay"] == 0
    listed = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(listed) == sorted(id(parameter) for parameter in model.parameters())
