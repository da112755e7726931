"""The form of an email address."""

FORM = "must be an email address such as ann@example.com"


def normalized(email: str) -> str:
    """The address as it is kept. Raises ValueError for what is none.

    The form only: a look-up of the domain would make opening an account wait for somebody's DNS.
    """
    # Here, since the package compiles long patterns when it is imported: a start need not wait for them.
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415

    try:
        return validate_email(email, check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError as error:
        raise ValueError(FORM) from error
