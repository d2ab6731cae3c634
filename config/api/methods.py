from rest_framework.request import Request


def answered_as(request: Request) -> str:
    """The method whose handler runs: HEAD is GET without the body, and needs, counts and
    refuses the same.
    """
    return "GET" if request.method == "HEAD" else str(request.method)
