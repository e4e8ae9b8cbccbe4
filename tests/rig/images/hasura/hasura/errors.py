"""The one kind of refusal, in the words and codes that Hasura uses."""


class Refused(Exception):  # noqa: N818 - the word of the protocol
    """A request that Hasura would refuse."""

    def __init__(self, message: str, code: str, status: int = 400) -> None:
        super().__init__(message)
        self.message, self.code, self.status = message, code, status

    def as_graphql(self) -> dict:
        return {"errors": [{"message": self.message, "extensions": {"path": "$", "code": self.code}}]}

    def as_api(self) -> dict:
        return {"path": "$", "error": self.message, "code": self.code}
