"""The extras: packages that only some have a use for, and how they are installed beside Koshel."""


def how_to_install(extra: str) -> str:
    """In words; from where Koshel itself was installed, since no package index has it."""
    return (
        f"install Koshel's extra {extra}: pip install --editable '.[{extra}]' in a checkout, or with a wheel"
        f" pip install './koshel-….whl[{extra}]'"
    )
