"""Pages for people beside the API: the front page, the chat, and the API's description to read."""

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from drf_spectacular.views import SpectacularRedocView, SpectacularSwaggerView
from rest_framework.renderers import JSONRenderer, TemplateHTMLRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from aimessage.api.system import HelloView, PublicView

_NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
FRONT_POLICY = f"{_NOTHING}; style-src 'self'; img-src 'self'"
#: Scripts handle the forms: a form that submits by itself would put a password into the address.
CHAT_POLICY = (
    f"{_NOTHING}; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " require-trusted-types-for 'script'"
)
#: Swagger UI and ReDoc write their styles into the page.
DOCS_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data:; worker-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
JSON, HTML = "application/json", "text/html"


class RootView(HelloView):
    """`/`: JSON for programs, and a page for clients that prefer HTML."""

    def dispatch(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        reads = request.method in {"GET", "HEAD"}
        if reads and request.get_preferred_type([JSON, HTML]) == HTML:
            answer: HttpResponseBase = _front_page(request)
        else:
            answer = super().dispatch(request, *args, **kwargs)
        patch_vary_headers(answer, ["Accept"])
        return answer


def _front_page(request: HttpRequest) -> HttpResponse:
    context = {"product": settings.NAME, "has_chat": settings.CHAT}
    page = render(request, "front.html", context)
    page.headers["Content-Security-Policy"] = FRONT_POLICY
    return page


class Page(PublicView):
    """An HTML page. Its errors are problems, as everywhere."""

    policy = DOCS_POLICY

    def finalize_response(
        self, request: Request, response: Response, *args: object, **kwargs: object
    ) -> Response:
        if response.exception:
            request.accepted_renderer = JSONRenderer()
            request.accepted_media_type = JSONRenderer.media_type
        response.headers["Content-Security-Policy"] = self.policy
        return super().finalize_response(request, response, *args, **kwargs)


class ChatView(Page):
    """clients/web, which calls this API as any other client does."""

    policy = CHAT_POLICY
    renderer_classes = [TemplateHTMLRenderer]

    def get(self, request: Request) -> Response:
        if not settings.CHAT:
            raise Http404
        context = {
            "product": settings.NAME,
            "root": reverse("root"),
            # Without an assistant the page must not ask for it, and get a 404.
            "has_assistant": settings.ASSISTANT.on,
        }
        return Response(context, template_name="web/index.html", headers={"Referrer-Policy": "no-referrer"})


class DocsPage(Page):
    """The API's description, made into a page by a library; templates/drf_spectacular has its looks."""

    title = settings.NAME

    def finalize_response(
        self, request: Request, response: Response, *args: object, **kwargs: object
    ) -> Response:
        if not response.exception:
            response.data["has_chat"] = settings.CHAT
        return super().finalize_response(request, response, *args, **kwargs)


class SwaggerView(DocsPage, SpectacularSwaggerView):
    pass


class RedocView(DocsPage, SpectacularRedocView):
    pass
