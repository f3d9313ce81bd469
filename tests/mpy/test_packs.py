"""The pack store on a real VfsLfs2: refusals with their reasons, updates, damage, change of root."""

import os

import pack_rig as rig
import ramflash

from firmware.core import pack, trust
from firmware.core.hmac256 import sha256
from firmware.core.pack import PackError
from firmware.services.packfiles import part_name
from firmware.services.settings import Settings

BUFFER = bytearray(64 * ramflash.BLOCK_BYTES)


def fresh(root=rig.ROOT):
    flash = ramflash.RamFlash(64, BUFFER)
    ramflash.format(flash)
    ramflash.mount(flash)
    rig.provision(root)
    packs = rig.started()
    assert packs.current is None and packs.version == 0
    return flash, packs


def reason(call, *args):
    try:
        call(*args)
    except PackError as e:
        return e.reason
    return 0


def starting(packs):
    return reason(lambda: rig.drive(packs.load_steps()))


def staging(packs, data, now_unix=rig.NOW):
    return reason(lambda: rig.drive(packs.stage_steps(data, now_unix)))


def files():
    return sorted(os.listdir("/flash/pack"))


def names_of(parts):
    """The files of a pack in force."""
    names = [part_name(sha256(data)) for _, data in parts]
    names.append("manifest")
    return sorted(names)


def damage(path, at=9):
    with open(path, "rb") as file:
        data = bytearray(file.read())
    data[at] ^= 1
    with open(path, "wb") as file:
        file.write(data)


def path_of(kind, parts):
    return "/flash/pack/" + part_name(sha256(dict(parts)[kind]))


# --- installing


def test_install_and_start_again():
    _, packs = fresh()
    found = rig.install(packs, 1)
    assert packs.current is found and (found.version, found.expires_unix) == (1, rig.NOW + 9999)
    assert rig.issuer_of(packs) == packs.version == 1
    packs = rig.started()
    assert rig.issuer_of(packs) == 1
    assert files() == names_of(rig.parts_of(1))


def test_only_what_changed_is_transferred():
    _, packs = fresh()
    rig.install(packs, 1)
    manifest = rig.drive(packs.stage_steps(rig.manifest_of(2), rig.NOW))
    assert [kind for kind, _, _ in packs.missing(manifest)] == [pack.KEYS, pack.REVOCATIONS], "not the roster"
    # Scanning goes on by the old one meanwhile.
    assert rig.issuer_of(packs) == 1
    assert rig.fetch(packs, manifest, rig.parts_of(2)) == 2
    assert rig.issuer_of(packs) == 1
    old = packs.current
    packs.commit(manifest)
    assert rig.issuer_of(packs) == 2
    # Who decides on somebody by the old one still can; then its files go.
    assert old.find(trust.kid_of_key(rig.ISSUER)) and not old.damaged
    rig.drive(packs.check_steps())
    assert files() == names_of(rig.parts_of(2))


def test_unknown_parts_are_left_alone():
    _, packs = fresh()
    parts = rig.parts_of(1)
    parts.append((999, b"from the future"))
    manifest = rig.drive(packs.stage_steps(rig.manifest_of(1, parts), rig.NOW))
    assert 999 not in [kind for kind, _, _ in packs.missing(manifest)]
    rig.fetch(packs, manifest, parts)
    packs.commit(manifest)
    assert rig.issuer_of(rig.started()) == 1


def test_announces_a_new_pack():
    _, packs = fresh()
    told = []
    packs.on_installed = told.append
    rig.install(packs, 1)
    assert told == [packs.current]


# --- refusals


def test_each_refusal_has_its_reason():
    _, packs = fresh()
    rig.install(packs, 5)
    stranger = rig.Root(b"stranger")
    good = rig.manifest_of(6)
    for data, expected in (
        (rig.manifest_of(5), pack.OLDER),
        (rig.manifest_of(4), pack.OLDER),
        (rig.manifest_of(6, root=stranger), pack.FOREIGN_ROOT),
        (good[:-64] + bytes(64), pack.BAD_SIGNATURE),
        (rig.manifest_of(6, expires_unix=rig.NOW), pack.EXPIRED),
        (good[:-1], pack.MALFORMED),
        (b"", pack.MALFORMED),
        (bytes(5000), pack.MALFORMED),
        (rig.rotated(6, old=stranger), pack.FOREIGN_ROOT),
    ):
        assert staging(packs, data) == expected, pack.name_of(expected)
        assert rig.issuer_of(packs) == 5
    assert files() == names_of(rig.parts_of(5)), "nothing stays of what is refused"
    assert staging(packs, rig.manifest_of(6, expires_unix=rig.NOW), None) == 0, "without a clock"
    assert staging(packs, good) == 0


def test_part_over_its_limit():
    _, packs = fresh()
    pack_limit = pack.limit_of
    try:
        pack.limit_of = lambda kind: 1 << 20
        data = rig.manifest_of(1, [(pack.SEALING_KEY, bytes(129))])
    finally:
        pack.limit_of = pack_limit
    assert staging(packs, data) == pack.PART_TOO_LARGE
    manifest = rig.drive(packs.stage_steps(rig.manifest_of(1), rig.NOW))
    _, length, digest = packs.missing(manifest)[0]
    sink = packs.sink(length, digest)
    assert reason(sink.write, bytes(length + 1)) == pack.PART_TOO_LARGE
    sink.close()


def test_parts_that_are_missing_or_wrong():
    _, packs = fresh()
    manifest = rig.drive(packs.stage_steps(rig.manifest_of(1), rig.NOW))
    assert reason(packs.commit, manifest) == pack.PART_MISSING and packs.current is None
    _, length, digest = packs.missing(manifest)[0]
    sink = packs.sink(length, digest)
    sink.write(bytes(length - 1))
    assert reason(lambda: rig.drive(sink.finish_steps())) == pack.PART_MISSING
    sink = packs.sink(length, digest)
    assert sink.offset == length - 1
    sink.write(b"\0")
    assert reason(lambda: rig.drive(sink.finish_steps())) == pack.PART_DAMAGED
    assert packs.sink(length, digest).offset == 0, "begun anew"
    assert len(packs.missing(manifest)) == 3


def test_two_packs_at_once():
    _, packs = fresh()
    first = rig.drive(packs.stage_steps(rig.manifest_of(1), rig.NOW))
    second = rig.drive(packs.stage_steps(rig.manifest_of(2), rig.NOW))
    rig.fetch(packs, first, rig.parts_of(1))
    assert reason(packs.commit, first) == pack.STORAGE
    rig.fetch(packs, second, rig.parts_of(2))
    packs.commit(second)
    assert rig.issuer_of(packs) == 2


def test_without_a_root_key():
    flash = ramflash.RamFlash(64, BUFFER)
    ramflash.format(flash)
    ramflash.mount(flash)
    assert staging(rig.started(), rig.manifest_of(1)) == pack.FOREIGN_ROOT


def test_flash_that_is_full_or_fails():
    flash, packs = fresh()
    rig.install(packs, 1)
    parts = rig.parts_of(2, 6_000)
    manifest = rig.drive(packs.stage_steps(rig.manifest_of(2, parts), rig.NOW))
    ramflash.fill("/flash/ballast", 6)
    assert reason(rig.fetch, packs, manifest, parts) == pack.STORAGE
    assert rig.issuer_of(packs) == 1 and not [name for name in files() if name.endswith(".part")]
    os.remove("/flash/ballast")
    flash.failing = True
    assert staging(packs, rig.manifest_of(3)) == pack.STORAGE
    flash.failing = False
    assert rig.issuer_of(packs) == 1
    rig.install(packs, 4)
    assert rig.issuer_of(rig.started()) == 4


# --- no way back


def test_a_deleted_manifest_permits_no_rollback():
    _, packs = fresh()
    rig.install(packs, 7)
    os.remove("/flash/pack/manifest")
    packs = rig.started()
    assert packs.current is None and packs.version == 0
    assert staging(packs, rig.manifest_of(6)) == pack.OLDER
    rig.install(packs, 7)
    assert rig.issuer_of(packs) == 7


def test_an_older_manifest_put_in_place_is_refused():
    _, packs = fresh()
    rig.install(packs, 6)
    with open("/flash/pack/manifest", "rb") as file:
        old = file.read()
    rig.install(packs, 7)
    with open("/flash/pack/manifest", "wb") as file:
        file.write(old)
    packs = rig.store()
    assert starting(packs) == pack.OLDER and packs.current is None


def test_manifests_on_flash_that_are_not_sound():
    _, packs = fresh()
    rig.install(packs, 1)
    for content, expected in (
        (rig.manifest_of(1)[:-64] + bytes(64), pack.BAD_SIGNATURE),
        (b"", pack.MALFORMED),
        (bytes(9999), pack.MALFORMED),
        (rig.manifest_of(1, root=rig.NEXT), pack.FOREIGN_ROOT),
    ):
        with open("/flash/pack/manifest", "wb") as file:
            file.write(content)
        packs = rig.store()
        assert starting(packs) == expected, content[:4]
        assert packs.current is None
    rig.install(packs, 2)
    assert rig.issuer_of(rig.started()) == 2


# --- change of root


def test_change_of_root():
    _, packs = fresh()
    rig.install(packs, 1)
    assert staging(packs, rig.manifest_of(2, root=rig.NEXT)) == pack.FOREIGN_ROOT
    rig.install(packs, 2, data=rig.rotated(2))
    assert Settings("/flash").get("root_key") == rig.NEXT.public
    packs = rig.started()
    assert rig.issuer_of(packs) == 2
    assert staging(packs, rig.manifest_of(3)) == pack.FOREIGN_ROOT, "the old root is out"
    assert staging(packs, rig.rotated(3)) == 0, "still wrapped, for those who missed the change"
    rig.install(packs, 4, data=rig.manifest_of(4, root=rig.NEXT))
    assert rig.issuer_of(rig.started()) == 4


def test_a_change_of_root_cut_before_the_settings():
    _, packs = fresh()
    rig.install(packs, 1)
    packs._settings.update = lambda changes: None
    rig.install(packs, 2, data=rig.rotated(2))
    assert Settings("/flash").get("root_key") == rig.ROOT.public
    packs = rig.started()
    assert rig.issuer_of(packs) == 2 and Settings("/flash").get("root_key") == rig.NEXT.public
    assert Settings("/flash").get("pack_floor") == b"\0\0\0\2"


# --- damage


def test_a_damaged_part_is_found_at_the_start_and_comes_again():
    for kind in (pack.KEYS, pack.REVOCATIONS, pack.ROSTER):
        _, packs = fresh()
        parts = rig.parts_of(1)
        rig.install(packs, 1, parts)
        damage(path_of(kind, parts))
        packs = rig.started()
        assert packs.current.damaged == 1 << kind and packs.version == 0
        manifest = rig.drive(packs.stage_steps(rig.manifest_of(1, parts), rig.NOW))
        assert [missing for missing, _, _ in packs.missing(manifest)] == [kind]
        rig.fetch(packs, manifest, parts)
        packs.commit(manifest)
        assert rig.issuer_of(packs) == 1
        assert rig.issuer_of(rig.started()) == packs.version == 1


def test_a_part_that_is_gone():
    _, packs = fresh()
    parts = rig.parts_of(1)
    rig.install(packs, 1, parts)
    os.remove(path_of(pack.REVOCATIONS, parts))
    packs = rig.started()
    assert packs.current.damaged == 1 << pack.REVOCATIONS
    os.remove(path_of(pack.KEYS, parts))
    assert packs.current.find(trust.kid_of_key(rig.ISSUER)) == []
    assert packs.current.damaged == 1 << pack.REVOCATIONS | 1 << pack.KEYS


def test_long_parts_are_checked_after_the_start():
    _, packs = fresh()
    parts = rig.parts_of(1, 9_000)
    rig.install(packs, 1, parts)
    damage(path_of(pack.REVOCATIONS, parts), 70_000)
    packs = rig.started()
    assert packs.current.damaged == 0
    rig.drive(packs.check_steps())
    assert packs.current.damaged == 1 << pack.REVOCATIONS and packs.version == 0
    rig.drive(packs.check_steps())
    rig.install(packs, 2)
    rig.drive(packs.check_steps())
    assert rig.issuer_of(packs) == 2


# --- parts that come in pieces


def test_a_torn_part_is_resumed_after_a_restart():
    _, packs = fresh()
    rig.install(packs, 1)
    parts = rig.parts_of(2, 5_000)
    data = dict(parts)[pack.REVOCATIONS]
    manifest = rig.drive(packs.stage_steps(rig.manifest_of(2, parts), rig.NOW))
    _, length, digest = packs.missing(manifest)[1]
    sink = packs.sink(length, digest)
    sink.write(data[:20_000])
    sink.close()
    packs = rig.started()
    assert rig.issuer_of(packs) == 1
    manifest = rig.drive(packs.stage_steps(rig.manifest_of(2, parts), rig.NOW))
    sink = packs.sink(length, digest)
    assert sink.offset == 20_000
    sink.close()
    rig.fetch(packs, manifest, parts)
    packs.commit(manifest)
    assert rig.issuer_of(packs) == 2


def test_a_part_that_is_too_long_already_begins_anew():
    _, packs = fresh()
    parts = rig.parts_of(1)
    manifest = rig.drive(packs.stage_steps(rig.manifest_of(1, parts), rig.NOW))
    for _, length, digest in packs.missing(manifest):
        with open("/flash/pack/" + part_name(digest) + ".part", "wb") as file:
            file.write(bytes(length + 1))
    rig.fetch(packs, manifest, parts)
    packs.commit(manifest)
    assert rig.issuer_of(packs) == 1
