"""How much of a wiring a published claim implies to be dead."""

from __future__ import annotations

from micronet.scoring.dnw_dead import would_be_dead
from micronet.scoring.dnw_formulas import ReleaseCount, count_wiring, everything_alive
from micronet.scoring.printed import printed
from micronet.wiring import mobilenet_blocks


def wide() -> ReleaseCount:
    graphs = [everything_alive(shape) for shape in mobilenet_blocks(2)]
    return count_wiring(graphs, 0.5, 1000, sparse_classifier=True)


def test_what_the_authors_response_implies() -> None:
    """582M and 4.2M for the wiring of twice the width: a good quarter of its nodes' work."""
    dead = would_be_dead(wide(), "582M", "4.2M")

    macs, parameters = dead.macs, dead.parameters
    assert (macs.found, macs.of) == (597_064_704, 34_771_968 + 21_676_032)
    # 581,500,000 rounds to 582M, 582,999,999 is cut off to it.
    assert (macs.least, macs.most) == (597_064_704 - 582_999_999, 597_064_704 - 581_500_000)
    for inside, outside in ((macs.least, macs.least - 1), (macs.most, macs.most + 1)):
        assert printed("582M").reproduced_by(597_064_704 - inside)
        assert not printed("582M").reproduced_by(597_064_704 - outside)
    # 4,254,592 is cut off to 4.2M already, and 4,150,000 rounds to it.
    assert (parameters.found, parameters.of) == (4_254_592, 89_280 + 1_728)
    assert (parameters.least, parameters.most) == (0, 91_008)
    assert dead.sentence() == (
        "582M of 597,064,704 multiply-accumulates means 14,064,705 to 15,564,704 of the 56,448,000 "
        "of stem and nodes dead (24.9 to 27.6 %); 4.2M of 4,254,592 parameters means any part of "
        "the 91,008 of stem and nodes dead."
    )


def test_a_claim_to_the_unit_has_no_range() -> None:
    dead = would_be_dead(wide(), "597064703", "4254592")

    assert (dead.macs.least, dead.macs.most) == (1, 1)
    assert (dead.parameters.least, dead.parameters.most) == (0, 0)


def test_claims_that_no_dead_node_explains() -> None:
    too_many, too_few = would_be_dead(wide(), "600M", "4.4M"), would_be_dead(wide(), "500M", "3.9M")

    for dead in (too_many, too_few):
        assert not dead.macs.possible
        assert not dead.parameters.possible
    assert str(too_many.parameters) == "no dead part of the 91,008 of stem and nodes"
