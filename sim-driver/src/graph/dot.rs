//! A graph as text for Graphviz, as `cuGraphDebugDotPrint` writes it.

use std::fmt::Write;

use super::Graph;

/// The graph, with its child graphs as clusters.
pub fn text(graph: &Graph) -> String {
    let mut out = String::from("digraph dot {\n");
    body(graph, "cluster_1", &mut out);
    out + "}\n"
}

fn body(graph: &Graph, name: &str, out: &mut String) {
    let content = graph.content();
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "subgraph {name} {{\nlabel=\"graph_{}\" graph[style=\"dashed\"];",
        graph.id
    );
    let id = |number: u32| format!("\"graph_{}_node_{number}\"", graph.id);
    for (number, node) in &content.nodes {
        let _ = writeln!(
            out,
            "{} [style=\"solid\" shape=\"rectangle\" label=\"{number}\\n{}\"];",
            id(*number),
            node.operation.type_name()
        );
        for edge in &node.after {
            let _ = writeln!(out, "{} -> {};", id(edge.from), id(*number));
        }
        for (place, inner) in node.operation.graphs_inside().iter().enumerate() {
            let place = if place == 0 {
                String::new()
            } else {
                format!("_{place}")
            };
            body(inner, &format!("{name}_{number}{place}"), out);
        }
    }
    out.push_str("}\n");
}
