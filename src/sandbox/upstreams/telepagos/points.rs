//! Sale points, as TelePagos' document prints them.

use serde::Serialize;

use super::charges::text;
use super::{Answer, Fields, error};
use crate::sandbox::world::World;

#[derive(Serialize)]
struct List {
    status: &'static str,
    sale_points: Vec<Point>,
}

#[derive(Serialize)]
struct Point {
    id: u64,
    name: String,
    /// The document names no word; this one is ours.
    status: &'static str,
}

pub(super) fn list(world: &World) -> Answer {
    let points = world.telepagos_sale_points().into_iter();
    let sale_points = points.map(|point| Point { id: point.id, name: point.name, status: "activo" }).collect();
    Answer::of(200, &List { status: "ok", sale_points })
}

#[derive(Serialize)]
struct Created {
    status: &'static str,
    sale_point_id: u64,
}

pub(super) fn create(world: &World, fields: &Fields) -> Answer {
    match text(fields, "name", false) {
        Ok(name) => Answer::of(200, &Created { status: "ok", sale_point_id: world.telepagos_sale_point(name) }),
        Err(refused) => refused,
    }
}

#[derive(Serialize)]
struct Deleted {
    status: &'static str,
}

pub(super) fn delete(world: &World, fields: &Fields) -> Answer {
    let Some(id) = fields.get("sale_point_id").and_then(|id| id.parse().ok()) else {
        return error(400, "sale_point_id debe ser int");
    };
    if world.telepagos_sale_point_delete(id) {
        Answer::of(200, &Deleted { status: "ok" })
    } else {
        error(404, "Punto de venta inexistente")
    }
}
