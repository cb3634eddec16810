"""Has the database made, before the first mutant."""


def test_the_database_is_there(db: None) -> None:
    pass
