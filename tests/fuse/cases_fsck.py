"""`gemel fsck`: what it says, what it repairs, and its exit statuses."""
import os
import subprocess

from cases_mount import simple_image
from mounts import equal, expect, gemel, make_image, refused


def judged_clean(image):
    done = subprocess.run(["e2fsck", "-fn", image], capture_output=True, text=True, timeout=60)
    expect(done.returncode == 0 and "count wrong" not in done.stdout, f"e2fsck says {done.stdout}")


def debugfs(image, command):
    subprocess.run(["debugfs", "-w", "-R", command, image], capture_output=True, check=True, timeout=60)


def content(image):
    with open(image, "rb") as whole:
        return whole.read()


def fsck(image, status, *words):
    done = gemel("fsck", *words, image)
    equal(done.returncode, status, f"status of fsck {words} ({done.stdout}{done.stderr})")
    return done.stdout


def fsck_repairs(place):
    """Goal: problems are named with a remedy, nothing is written without -y, and -y puts them right."""
    image = simple_image(place)
    expect("clean" in fsck(image, 0), "a sound image is called clean")
    equal(fsck(image, 0, "-y").count("\n"), 1, "lines about a clean image")
    debugfs(image, "set_inode_field hello links_count 7")
    debugfs(image, "set_super_value free_inodes_count 3")
    before = content(image)
    said = fsck(image, 4)
    expect("it counts 7 links and has 1" in said and "2 problems" in said, f"said {said}")
    expect(content(image) == before, "a look changed the image")
    expect("repaired" in fsck(image, 1, "-y"), "no word of the repair")
    judged_clean(image)
    fsck(image, 0, "--repair")
    debugfs(image, "unlink hello")
    fsck(image, 1, "-y")
    judged_clean(image)
    debugfs(image, "set_inode_field lost+found block[0] 0x7fffffff")
    before = content(image)
    expect("e2fsck" in fsck(image, 4, "-y"), "no word of what is left")
    expect(content(image) == before, "a half repair")


def fsck_refusals(place):
    """Goal: what cannot be checked is one line and status 8; a wrong line of words is 16."""
    image = simple_image(place)
    refused(("fsck", place.file("missing")), 8, "missing")
    with open(place.file("noise"), "wb") as out:
        out.write(b"x" * (1 << 20))
    refused(("fsck", place.file("noise")), 8, "noise")
    equal(gemel("fsck").returncode, 16, "status without arguments")
    equal(gemel("fsck", "-y", "--rw", image).returncode, 16, "status of -y --rw")
    with place.mounted(image, "-o", "ro"):
        refused(("fsck", "-y", image), 8, "in use by gemel (process ")
        fsck(image, 0)


def fsck_restores_the_superblock(place):
    """Goal: a superblock that is wiped out or does not fit its sum comes back from its copy, files and all; noise does
    not. Method: three block sizes; wipe it, then change its label; e2fsck judges."""
    for block_bytes in (1024, 2048, 4096):
        source = place.file(f"source-{block_bytes}")
        os.mkdir(source)
        with open(os.path.join(source, "kept"), "w") as out:
            out.write("kept\n")
        image = make_image(place.file(f"{block_bytes}.img"), source, "300M", "-b", str(block_bytes))
        for place_of_damage, damage in ((1024, bytes(1024)), (1024 + 0x78, b"other label")):
            with open(image, "r+b") as file:
                file.seek(place_of_damage)
                file.write(damage)
            refused(("mount", image, place.directory), 2, "superblock" if damage[0] else image)
            expect("took its place" in fsck(image, 1, "-y"), "no word of the copy")
            judged_clean(image)
            with place.mounted(image, "-o", "ro") as directory:
                with open(os.path.join(directory, "kept")) as file:
                    equal(file.read(), "kept\n", "content")
    noise = place.file("noise")
    with open(noise, "wb") as out:
        out.write(os.urandom(9 << 20))
    before = content(noise)
    refused(("fsck", "-y", noise), 8, "noise")
    expect(content(noise) == before, "noise was changed")


CASES = (fsck_repairs, fsck_refusals, fsck_restores_the_superblock)
