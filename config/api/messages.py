from rest_framework.response import Response


def message(text: str, *, status: int = 200) -> Response:
    """The answer of a call that has nothing to show but that it happened."""
    return Response({"success": True, "message": text}, status=status)
