//! Which program a process is, as far as it matters to what it does about a driver's answers.

use std::collections::BTreeMap;

use cutape_trace_format::trace::ProcessEntry;

use super::facts::ProcessFacts;

/// Programs and libraries whose behaviour is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClientKind {
    /// Ollama up to 0.12.3: discovery inside `ollama serve`, by the driver API.
    OllamaInProcess,
    /// Ollama 0.12.4 to 0.24: discovery by `ollama runner`.
    OllamaRunner,
    /// Ollama from 0.30 on: discovery by `llama-server` and `ollama gpu-discover`.
    OllamaServer,
    /// The CUDA backend of GGML: llama.cpp, and Ollama's engines.
    Ggml,
    /// PyTorch.
    PyTorch,
    /// A program on the CUDA runtime.
    Runtime,
    /// cuBLAS, which brings CUDA runtimes of its own.
    Blas,
}

impl ClientKind {
    /// Its name, for people and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::OllamaInProcess => "Ollama up to 0.12.3",
            Self::OllamaRunner => "Ollama 0.12.4 to 0.24",
            Self::OllamaServer => "Ollama from 0.30 on",
            Self::Ggml => "GGML",
            Self::PyTorch => "PyTorch",
            Self::Runtime => "the CUDA runtime",
            Self::Blas => "cuBLAS",
        }
    }
}

/// What a process is known to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// What it is, the most particular first, and how each is known; empty where nothing is recognised.
    pub kinds: BTreeMap<ClientKind, String>,
    /// The folder of the client's CUDA backend: Ollama has one for each CUDA version.
    pub library_folder: Option<String>,
}

impl Client {
    /// Recognises a process by its command, what it mapped, and what it asked.
    pub fn of(entry: Option<&ProcessEntry>, facts: &ProcessFacts) -> Self {
        let mut client = Self::default();
        if let Some(entry) = entry {
            client.by_command(entry);
            client.by_libraries(entry);
        }
        if client.kinds.is_empty() && facts.asks_like_ggml() {
            client.add(
                ClientKind::Ggml,
                "it asks what GGML's CUDA backend asks: granularity of allocations, then free memory",
            );
        }
        client
    }

    fn add(&mut self, kind: ClientKind, reason: impl Into<String>) {
        self.kinds.entry(kind).or_insert_with(|| reason.into());
    }

    fn by_command(&mut self, entry: &ProcessEntry) {
        let words = &entry.process.command;
        let program = file_name(&entry.process.program);
        let has = |word: &str| words.iter().skip(1).any(|given| given == word);
        let is_ollama = program == "ollama";
        let from_ollama = entry.process.program.contains("/ollama/");
        if is_ollama && has("runner") {
            self.add(ClientKind::OllamaRunner, "its command is `ollama runner`");
        } else if is_ollama && has("gpu-discover") {
            self.add(
                ClientKind::OllamaServer,
                "its command is `ollama gpu-discover`",
            );
        } else if is_ollama && has("serve") {
            self.add(
                ClientKind::OllamaInProcess,
                "`ollama serve` calls the driver itself",
            );
        } else if program == "llama-server" && from_ollama {
            self.add(
                ClientKind::OllamaServer,
                "it is the llama-server of an Ollama installation",
            );
        }
    }

    fn by_libraries(&mut self, entry: &ProcessEntry) {
        let libraries = entry.libraries.iter().flat_map(|map| &map.libraries);
        for library in libraries {
            let name = file_name(&library.path);
            let Some((kind, _)) = MAPPED.iter().find(|(_, begin)| name.starts_with(begin)) else {
                continue;
            };
            if *kind == ClientKind::Ggml && self.library_folder.is_none() {
                let folder = library.path.strip_suffix(name).unwrap_or_default();
                self.library_folder = Some(folder.trim_end_matches('/').to_owned());
            }
            self.add(*kind, format!("{name} is mapped"));
        }
    }

    /// Whether it is that.
    pub fn is(&self, kind: ClientKind) -> bool {
        self.kinds.contains_key(&kind)
    }

    /// What it is and how that is known, as a list; the names come from the trace as they are.
    pub fn in_words(&self) -> String {
        let words = self
            .kinds
            .iter()
            .map(|(kind, reason)| format!("{} ({reason})", kind.name()));
        words.collect::<Vec<_>>().join(", ")
    }
}

/// Begins of file names by which libraries tell what is running.
const MAPPED: [(ClientKind, &str); 6] = [
    (ClientKind::Ggml, "libggml-cuda"),
    (ClientKind::PyTorch, "libtorch_cuda"),
    (ClientKind::PyTorch, "libc10_cuda"),
    (ClientKind::Runtime, "libcudart"),
    (ClientKind::Blas, "libcublas.so"),
    (ClientKind::Blas, "libcublasLt.so"),
];

/// The last part of a path.
pub fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cutape_trace_format::metadata::{Libraries, Library};

    fn recognise(program: &str, command: &[&str], libraries: &[&str]) -> Client {
        let mut entry = ProcessEntry::default();
        entry.process.program = program.to_owned();
        entry.process.command = command.iter().map(|&word| word.to_owned()).collect();
        let libraries = libraries.iter().map(|&path| Library {
            path: path.to_owned(),
            ..Library::default()
        });
        entry.libraries.push(Libraries {
            libraries: libraries.collect(),
            ..Libraries::default()
        });
        Client::of(Some(&entry), &ProcessFacts::default())
    }

    fn kinds(client: &Client) -> Vec<ClientKind> {
        client.kinds.keys().copied().collect()
    }

    #[test]
    fn the_generations_of_ollama_are_told_by_their_commands() {
        let ollama = "/usr/local/bin/ollama";
        let of = |words: &[&str]| kinds(&recognise(ollama, words, &[]));
        assert_eq!(of(&["ollama", "serve"]), [ClientKind::OllamaInProcess]);
        assert_eq!(
            of(&["ollama", "runner", "--ollama-engine", "--port", "40001"]),
            [ClientKind::OllamaRunner]
        );
        assert_eq!(of(&["ollama", "gpu-discover"]), [ClientKind::OllamaServer]);
        assert_eq!(of(&["ollama", "list"]), []);
        let server = |path| kinds(&recognise(path, &["llama-server", "--list-devices"], &[]));
        assert_eq!(
            server("/usr/lib/ollama/llama-server"),
            [ClientKind::OllamaServer]
        );
        assert_eq!(server("/usr/bin/llama-server"), []);
    }

    #[test]
    fn libraries_tell_the_client_and_the_folder_of_its_backend() {
        let client = recognise(
            "/usr/lib/ollama/llama-server",
            &["llama-server"],
            &[
                "/usr/lib/ollama/cuda_v13/libcudart.so.13.0.96",
                "/usr/lib/ollama/cuda_v13/libggml-cuda.so",
            ],
        );
        assert_eq!(
            kinds(&client),
            [
                ClientKind::OllamaServer,
                ClientKind::Ggml,
                ClientKind::Runtime
            ]
        );
        assert_eq!(
            client.library_folder.as_deref(),
            Some("/usr/lib/ollama/cuda_v13")
        );
        let torch = recognise("/usr/bin/python3", &["python3"], &["/t/lib/libc10_cuda.so"]);
        assert_eq!(kinds(&torch), [ClientKind::PyTorch]);
        assert_eq!(kinds(&recognise("/bin/x", &["x"], &["/lib/libc.so.6"])), []);
    }
}
