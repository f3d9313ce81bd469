"""The office's other pages: laboratories and units, lists for those who must act, packs, the audit log."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Request, Response
from fastapi import Path as PathParameter
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse

from host_tools.authority import lists, schema
from host_tools.authority.fields import PeopleTrouble
from host_tools.authority.office_fields import whole
from host_tools.authority.people import OFFICE

if TYPE_CHECKING:
    from host_tools.authority.office import Desktop

KINDS = {"labs": schema.LABORATORY, "units": schema.UNIT}
PART_NAMES = {
    1: ("签发密钥", "issuer keys"),
    2: ("吊销", "revocations"),
    3: ("吊销变更", "changes of revocations"),
    4: ("场景", "scenes"),
    5: ("规则", "rules"),
    6: ("值集", "value sets"),
    7: ("文字", "texts"),
    8: ("名册", "roster"),
    9: ("密封公钥", "sealing key"),
    10: ("配置", "configuration"),
}
PartiesName = Annotated[str, PathParameter(pattern="^(labs|units)$")]
ListName = Annotated[str, PathParameter(pattern=f"^({'|'.join(lists.NAMES)})$")]


def router(desktop: Desktop) -> APIRouter:
    """Routes under /office."""
    routes = APIRouter(prefix="/office", include_in_schema=False)
    authority = desktop.authority

    @routes.get("/parties/{name}")
    def parties(request: Request, name: PartiesName) -> HTMLResponse:
        desktop.gate.session(request)
        rows = authority.parties.list(KINDS[name])
        return desktop.page(request, "parties.html", which=name, rows=rows, added=None)

    @routes.post("/parties/{name}")
    async def add(request: Request, name: PartiesName) -> HTMLResponse:
        form = await desktop.gate.form(request)

        def work() -> HTMLResponse:
            kind = KINDS[name]
            try:
                added = authority.parties.add(kind, form.get("name"), OFFICE, authority.now_unix())
            except PeopleTrouble as e:
                return desktop.refused(request, e, f"/office/parties/{name}")
            rows = authority.parties.list(kind)
            return desktop.page(request, "parties.html", 201, which=name, rows=rows, added=added)

        return await run_in_threadpool(work)

    @routes.post("/parties/{name}/revoke")
    async def revoke(request: Request, name: PartiesName) -> Response:
        form = await desktop.gate.form(request)
        try:
            await run_in_threadpool(
                authority.parties.revoke, KINDS[name], form.get("party"), OFFICE, authority.now_unix()
            )
        except PeopleTrouble as e:
            return desktop.refused(request, e, f"/office/parties/{name}")
        return RedirectResponse(f"/office/parties/{name}", 303)

    @routes.get("/lists/{name}.csv")
    def list_file(request: Request, name: ListName) -> Response:
        desktop.gate.session(request)
        text = lists.to_csv(authority.lists.get(name, authority.now_unix()))
        headers = {"content-disposition": f'attachment; filename="{name}.csv"'}
        return Response(text, media_type="text/csv; charset=utf-8", headers=headers)

    @routes.get("/lists/{name}")
    def list_page(request: Request, name: ListName) -> HTMLResponse:
        desktop.gate.session(request)
        rows = authority.lists.get(name, authority.now_unix())
        return desktop.page(
            request, "list.html", which=name, rows=rows, intervals=authority.people.intervals()
        )

    @routes.post("/intervals")
    async def intervals(request: Request) -> Response:
        form = await desktop.gate.form(request)
        try:
            await run_in_threadpool(
                authority.set_interval, whole(form.get("group")), whole(form.get("days")), OFFICE
            )
        except PeopleTrouble as e:
            return desktop.refused(request, e, "/office/lists/overdue")
        return RedirectResponse("/office/lists/overdue", 303)

    @routes.post("/papers/revoke")
    async def revoke_paper(request: Request) -> Response:
        form = await desktop.gate.form(request)
        digits = re.sub(r"[\s-]", "", form.get("number"))
        try:
            cti = bytes.fromhex(digits)
        except ValueError:
            cti = b""
        try:
            await run_in_threadpool(authority.papers.revoke, cti, OFFICE, authority.now_unix())
        except PeopleTrouble as e:
            return desktop.refused(request, e, "/office/packs")
        return RedirectResponse("/office/packs", 303)

    @routes.get("/packs")
    def packs(request: Request) -> HTMLResponse:
        desktop.gate.session(request)
        now = authority.now_unix()
        manifest = authority.packs.current(now).manifest
        return desktop.page(
            request,
            "packs.html",
            manifest=manifest,
            parts=[
                (PART_NAMES.get(kind, ("其他", "other")), length, digest.hex()[:16])
                for kind, length, digest in manifest.parts()
            ],
            keys=authority.packs.issuer_keys(now),
            revoked=len(authority.packs.revocations.all()),
            root=authority.keys.root_kid.hex(),
        )

    @routes.get("/audit")
    def audit(request: Request) -> HTMLResponse:
        desktop.gate.session(request)
        return desktop.page(request, "audit.html", rows=authority.people.audit())

    return routes
