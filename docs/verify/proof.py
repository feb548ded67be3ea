#!/usr/bin/env python3
"""Checks the proof of one event (*.tlog-proof) offline.

    python3 proof.py FILE --vkey VKEY

It proves that the log whose key you trust holds an entry, and prints its place, id and time; what the entry says is proved by its bundle.
It ends as verify.py does: 0 proved, 6 something is false, 7 something is missing, 2 the command line is wrong.
"""
import argparse
import re
import sys

sys.dont_write_bytecode = True  # leaves nothing beside the file
from primitives import LOG_KEY, Bad, Key, Note, Stop, b64, included, malformed, sha256  # noqa: E402

LEAF = 70


def check(content, pins):
    """Returns what was proved, as (size, seq, id, microseconds), or raises Bad, of which Stop says that something is missing."""
    head, blank, note = content.partition("\n\n")
    lines = head.split("\n")
    if lines[0] != "c2sp.org/tlog-proof@v1":
        raise Stop("unsupported", "the file does not begin as a proof does")
    if not blank or len(lines) < 3:
        raise malformed("the proof is cut off")
    if not lines[1].startswith("extra "):
        raise Stop("proof_missing", "the proof holds no leaf")
    leaf = b64(lines[1][len("extra "):], LEAF)
    if leaf[:5] != b"DAYB\x01" or leaf[5] > 1:
        raise Stop("unsupported", "the leaf is of a version that this one does not know")
    if not re.fullmatch("index (0|[1-9][0-9]{0,15})", lines[2]):
        raise malformed("the third line is no index")
    index, seq = int(lines[2][len("index "):]), int.from_bytes(leaf[6:14], "big")
    checkpoint = Note(note)
    proof = [b64(line, 32) for line in lines[3:]]
    if seq != index:
        raise Bad("position_mismatch", "the leaf of entry %d stands at %d" % (seq, index))
    if not included(sha256(b"\x00" + leaf), index, checkpoint.size, proof, checkpoint.root):
        raise Bad("proof_invalid", "the leaf is not in the tree of the checkpoint")
    if not pins:
        raise Stop("key_not_pinned", "the proof agrees with itself, but no key was given: anybody can have made it")
    signed = False
    for name, key_id, signature in checkpoint.signatures:
        for key in pins:
            if key.name == name and key.id == key_id:
                if key.signed(checkpoint.body, signature) is None:
                    raise Bad("signature_invalid", "the signature by %s does not hold" % name)
                signed = signed or key.name == checkpoint.origin
    if not signed:
        raise Stop("key_unknown", "no key that you trust has signed the checkpoint of %s" % checkpoint.origin)
    return checkpoint.size, seq, leaf[22:38].hex(), int.from_bytes(leaf[14:22], "big")


def main(args):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--vkey", action="append", default=[], help="a key that you trust; may be repeated")
    options = parser.parse_args(args)
    try:
        pins = [Key(vkey, LOG_KEY) for vkey in options.vkey]
    except Bad as e:
        parser.error(str(e))
    try:
        with open(options.file, encoding="utf-8", newline="") as f:
            size, seq, event, received = check(f.read(), pins)
    except Stop as e:
        print("UNVERIFIED  %s: %s" % (e.code, e))
        return 7
    except (Bad, UnicodeDecodeError) as e:
        print("FAILED  %s: %s" % (getattr(e, "code", "malformed"), e))
        return 6
    except OSError as e:
        print("UNVERIFIED  unreachable: %s" % e)
        return 7
    print("OK  entry %d of %d, UUID %s, received %d µs after 1970" % (seq, size, event, received))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
