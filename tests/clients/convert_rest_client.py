"""Makes cloudify-rest-client 4.3.3, written for Python 2, run under Python 3.

Run once, by the Python of the environment in which the client is installed:
lib2to3 converts the whole package, then the one place that base64-encodes
text is given bytes. Running it again does nothing. It must not change what the
client sends: only names that Python 3 moved, and bytes for text.
"""

import compileall
import pathlib
import subprocess
import sys
import sysconfig

TEXT_BASE64 = "urlsafe_b64encode(credentials)"
BYTES_BASE64 = "urlsafe_b64encode(credentials.encode('utf-8')).decode('ascii')"


def main():
    package = pathlib.Path(sysconfig.get_path("purelib")) / "cloudify_rest_client"
    client = package / "client.py"
    if not client.exists():
        sys.exit(f"cloudify-rest-client is not installed in {package.parent}")
    if BYTES_BASE64 in client.read_text():
        print("already converted")
        return
    try:
        import lib2to3.main  # noqa: F401
    except ImportError:
        sys.exit(
            "this Python has no lib2to3 (it left with 3.13): "
            "set LIFEBOAT_TEST_PYTHON to a Python from 3.8 to 3.12"
        )
    subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "lib2to3"]
        + ["--write", "--nobackups", "--no-diffs", str(package)],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    source = client.read_text()
    found = source.count(TEXT_BASE64)
    if found != 1:
        sys.exit(f"expected one `{TEXT_BASE64}` in {client}, found {found}")
    client.write_text(source.replace(TEXT_BASE64, BYTES_BASE64))
    if not compileall.compile_dir(str(package), quiet=1):
        sys.exit("the converted client does not compile")
    print("converted")


if __name__ == "__main__":
    main()
