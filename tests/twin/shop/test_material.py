# SPDX-License-Identifier: LGPL-2.1-or-later
import statistics

import pytest

from freecad_camtwin.errors import ProfileError
from freecad_camtwin.twin.shop.material import TYPICAL_RATIOS, Material, find_material, materials, read_materials


@pytest.mark.parametrize(
    ("word", "key"),
    [
        ("6061", "6061"),
        ("6061-T6", "6061"),
        ("EN AW-6061 T651", "6061"),
        ("AlMgSi", "6061"),
        ("c45", "C45"),
        ("AISI 1045", "C45"),
        ("42crmo4+QT", "42CrMo4"),
        ("4140", "42CrMo4"),
        ("316L", "316L"),
        ("Ti-6Al-4V", "Ti6Al4V"),
        ("pom", "POM"),
        ("MDF", "MDF"),
        ("7075 T6", "7075"),
        ("Grey cast iron", "GG25"),
    ],
)
def test_a_material_is_found_by_the_words_of_the_trade(word, key):
    assert find_material(word).key == key


@pytest.mark.parametrize(("word", "near"), [("6062", "6061"), ("42CrMo5", "42CrMo4"), ("inconell", "Inconel718")])
def test_an_unknown_word_is_refused_with_its_neighbours(word, near):
    with pytest.raises(ProfileError, match=f"no material is called '{word}'; near it are .*{near}"):
        find_material(word)


@pytest.mark.parametrize("word", ["", "unobtainium", "alumin", "carbon stee", "60"])
def test_no_more_than_four_neighbours_are_named(word):
    with pytest.raises(ProfileError) as raised:
        find_material(word)
    neighbours = str(raised.value).partition("near it are ")[2].split(", ")
    assert 1 <= len(neighbours) <= 4
    assert set(neighbours) <= set(materials())


@pytest.mark.parametrize("word", ["", "???", "unobtainium"])
def test_nonsense_is_refused_too(word):
    with pytest.raises(ProfileError, match="no material is called"):
        find_material(word)


def test_every_material_says_where_it_comes_from_and_how_far_to_trust_it():
    for material in materials().values():
        assert material.source, material.key
        assert material.iso_group in set("PMKNSH")
        assert 0.2 <= material.sigma <= 0.5


def test_what_was_not_read_is_marked_in_words():
    assert "not re-read" in find_material("Ti6Al4V").source
    assert "not re-read" not in find_material("7075").source
    assert find_material("MDF").sigma == find_material("POM").sigma == 0.5


def test_no_word_means_two_materials():
    owners = {}
    for material in materials().values():
        for word in (material.key, *material.aliases):
            assert owners.setdefault(word.lower(), material.key) == material.key, word


def test_typical_ratios_are_the_medians_of_the_measured_sets():
    measured = [m for m in materials().values() if m.ktc]
    for part, whole in (("krc", "ktc"), ("kac", "ktc"), ("kre", "kte"), ("kae", "kte")):
        known = [getattr(m, part) / getattr(m, whole) for m in measured if getattr(m, part) is not None]
        assert statistics.median(known) == pytest.approx(TYPICAL_RATIOS[part], abs=0.006)


def test_drills_know_the_factor_of_their_material():
    assert find_material("42CrMo4").drilling == 2.41
    assert find_material("6061").drilling == 1.01
    assert find_material("MDF").drilling is None


def test_the_tangent_touches_kienzles_curve():
    steel = find_material("42CrMo4")
    ktc, kte = steel.coefficients(0.05)
    assert ktc * 0.05 + kte == pytest.approx(2500 * 0.05**0.74)
    assert ktc == pytest.approx(0.74 * 2500 * 0.05**-0.26)
    assert sum(steel.coefficients(1.0)) == pytest.approx(2500)


def test_a_users_own_file_is_read(tmp_path):
    toml = tmp_path / "mine.toml"
    toml.write_text(
        '["Al cast"]\nktc = 700\nkte = 12.5\naliases = ["casting"]\nsource = "our dyno"\n[Wax]\nkc11 = 20\nmc = 0.1\n'
    )
    table = read_materials(toml)
    assert (table["Al cast"].ktc, table["Wax"].mc) == (700, 0.1)
    assert find_material(f"{toml}#casting").kte == 12.5
    csv = tmp_path / "mine.csv"
    csv.write_text("key,kc11,mc\nWax,20,0.1\n")
    assert find_material(str(csv)) == Material("Wax", kc11=20, mc=0.1)
    with pytest.raises(ProfileError, match=r"several materials; choose one as mine.toml#Al cast"):
        find_material(str(toml))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[Wax]\nkc11 = 'soft'\n", "kc11 of 'Wax' is 'soft', not a number"),
        ("[Wax]\nkc11 = 20\nktc = 30\n", "'Wax' needs either kc11 and mc or ktc and kte"),
        ("[Wax]\nkc11 = -5\n", "'Wax' has kc11 = -5"),
        ("[Wax]\nkc11 = 0\n", "cutting force of 0"),
        ("[Wax]\nkc11 = nan\n", "'Wax' has kc11 = nan"),
        ("[Wax]\nkc11 = 20\nmc = 1.5\n", "mc = 1.5; it must be below 1"),
        ("[Wax]\nkc11 = 20\nhardness = 3\n", "'Wax' has an unknown entry 'hardness'"),
        ("[Wax\n", "is not TOML"),
        ("wax = 3\n", "'wax' is not a material"),
        ("", "holds no material"),
    ],
)
def test_a_bad_file_is_refused_in_one_sentence(tmp_path, text, words):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(ProfileError) as refusal:
        read_materials(path)
    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_table_that_is_none_is_refused_in_one_sentence(tmp_path):
    (tmp_path / "bad.csv").write_text("key,kc11,mc\nWax," + "9" * 200_000 + ",0.1\n")
    with pytest.raises(ProfileError, match=r"bad\.csv is no table: field larger"):
        read_materials(tmp_path / "bad.csv")


def test_a_missing_file_is_refused_in_one_sentence(tmp_path):
    with pytest.raises(ProfileError, match="cannot be read"):
        find_material(str(tmp_path / "none.toml"))
