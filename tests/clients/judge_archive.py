"""Judges a snapshot archive with Python's zipfile, and by its own manifest.

    judge_archive.py ARCHIVE

Every entry but the manifest and its signature must be in the manifest, in order,
with the size and the SHA-256 that it has. Exits 0 when all is right.
"""

import hashlib
import json
import sys
import zipfile


def main(path):
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
        assert damaged is None, "damaged: %s" % damaged
        names = archive.namelist()
        assert len(names) == len(set(names)), "a name stands twice"
        assert names[0] == "metadata.json", names[0]
        assert names[-2:] == ["manifest.json", "manifest.sig"], names[-2:]

        metadata = json.loads(archive.read("metadata.json"))
        assert metadata["snapshot_version"] == "7.0.5", metadata

        manifest = json.loads(archive.read("manifest.json"))
        assert manifest["format"] == 1, manifest["format"]
        listed = sorted(manifest["entries"], key=lambda entry: entry["order"])
        assert [entry["path"] for entry in listed] == names[:-2], "other entries"
        for entry in listed:
            held = archive.read(entry["path"])
            info = archive.getinfo(entry["path"])
            assert len(held) == entry["size"], entry
            assert info.compress_size == entry["compressed_size"], entry
            assert info.header_offset == entry["offset"], entry
            assert hashlib.sha256(held).hexdigest() == entry["sha256"], entry
            mode = info.external_attr >> 16 & 0o7777
            assert info.create_system == 3, "not made by Unix: %s" % entry["path"]
            assert mode in (0o644, 0o755), "mode %o of %s" % (mode, entry["path"])
            assert info.flag_bits & 0x800, "not marked UTF-8: %s" % entry["path"]
    print("%d entries are as the manifest says" % len(listed))


if __name__ == "__main__":
    main(sys.argv[1])
