//! The options that `record` and `env` share.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use cutape_analysis::filter::Filter;
use cutape_analysis::injection::Injection;
use cutape_cuda_api::Api;
use cutape_trace_format::injection_plan::{INJECT_VARIABLE, OVERRIDE_VARIABLE, PLAN_VARIABLE};

use crate::driver::{Driver, DriverChoice};
use crate::filtering;
use crate::front::{self, RecordingFront};
use crate::message;
use crate::size;

/// How a recording is made.
#[derive(Args, Debug)]
pub struct RecordingOptions {
    /// Where the trace goes: NAME.cutape. Without it, PROGRAM-DATE-TIME.cutape in the current folder
    #[arg(short, long, value_name = "NAME")]
    pub output: Option<PathBuf>,

    /// The driver that calls are passed on to: a library file, or `sim[:PROFILE]` for the simulated GPU. Without it, the libcuda.so.1
    /// that the program would have found
    #[arg(long, value_name = "PATH|sim[:PROFILE]")]
    pub driver: Option<DriverChoice>,

    /// What happens to a call when the writer can't keep up: the caller waits (nothing is lost), or the call is dropped and counted
    #[arg(long, value_name = "wait|drop", default_value = "wait")]
    pub on_full: OnFull,

    /// Recording stops when the trace reaches this size (such as 500MiB, 2G); the program goes on
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    pub max_size: Option<u64>,

    /// What is kept besides arguments and results. none: nothing. modules: module images, each content once, and the arguments of kernel
    /// launches. full: also the host's side of copies
    #[arg(long, value_name = "none|modules|full", default_value = "modules")]
    pub payload: Payload,

    /// Replaces an existing trace of that name
    #[arg(long)]
    pub force: bool,

    /// Record only calls that the filter means, such as 'cuMem*' or 'family == Launch or ret != 0' (docs/filter.md). What it leaves out
    /// is gone: also the calls that say what objects and kernels are called
    #[arg(short = 'e', long = "expression", value_name = "FILTER")]
    filter: Option<String>,

    /// Whose call stacks are kept (docs/stacks.md). failed: of calls that failed, up to 16 of each place. none: of none. FILTER: of calls that
    /// failed and of those that the filter means, such as 'cuMemAlloc*'
    #[arg(
        long,
        value_name = "failed|none|FILTER",
        default_value = "failed",
        value_parser = Stacks::parse
    )]
    stacks: Stacks,

    /// Makes calls fail, wait or go missing, such as 'cuMemAlloc:error=OUT_OF_MEMORY:when=3+' (docs/inject.md). May be given several times
    #[arg(long, value_name = "RULE")]
    inject: Vec<String>,

    /// Replaces what the driver answers, such as 'cuMemGetInfo_v2:free=78GiB,total=80GiB,ret=0' (docs/inject.md). May be given several times
    #[arg(long = "override", value_name = "RULE")]
    overrides: Vec<String>,
}

/// What happens to a call when the thread's ring is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnFull {
    /// The caller waits.
    Wait,
    /// The call is dropped and counted.
    Drop,
}

/// Whose call stacks are kept.
#[derive(Clone, Debug)]
enum Stacks {
    /// Those of calls that failed.
    Failed,
    /// None.
    None,
    /// Those of calls that failed or that a filter means.
    Of(Filter),
}

impl Stacks {
    fn parse(text: &str) -> Result<Self, String> {
        Ok(match text {
            "failed" => Self::Failed,
            "none" => Self::None,
            filter => Self::Of(Filter::parse(filter).map_err(|error| {
                format!("expected failed, none or a filter; as a filter: {error}")
            })?),
        })
    }

    fn text(&self) -> &str {
        match self {
            Self::Failed => "failed",
            Self::None => "none",
            Self::Of(filter) => filter.text(),
        }
    }
}

/// What is kept besides arguments and results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Payload {
    /// Nothing.
    None,
    /// Module images and arguments of kernel launches.
    Modules,
    /// The host's side of copies, too.
    Full,
}

impl Payload {
    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Modules => "modules",
            Self::Full => "full",
        }
    }
}

impl OnFull {
    fn name(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Drop => "drop",
        }
    }
}

/// All that a program needs to be recorded.
pub struct Setup {
    /// The driver.
    pub driver: Driver,
    /// The libraries that take its place.
    pub front: RecordingFront,
    /// Variables to set.
    pub environment: Vec<(OsString, OsString)>,
}

impl RecordingOptions {
    /// The filter of `-e`.
    ///
    /// # Errors
    /// It can't be understood.
    pub fn filter(&self) -> Result<Option<Filter>, String> {
        self.filter.as_deref().map(filtering::parse).transpose()
    }

    /// Finds the driver and makes what takes its place. `folder` is the recording's, an absolute path.
    ///
    /// # Errors
    /// There is no driver, or the libraries can't be put in place.
    pub fn prepare(&self, folder: &Path) -> Result<Setup, String> {
        let filter = self.filter()?;
        self.tell_unknown_names(filter.as_ref());
        let injection = Injection::of(&self.inject, &self.overrides)?;
        let mut driver = Driver::find(self.driver.as_ref())?;
        driver.hidden.extend(injection.hidden.iter().cloned());
        let front = front::for_recording(&driver)?;
        let mut environment: Vec<(OsString, OsString)> = vec![
            (
                "LD_LIBRARY_PATH".into(),
                front::library_path(&front.folder)?,
            ),
            ("CUTAPE_OUT".into(), folder.into()),
            ("CUTAPE_DRIVER".into(), driver.cuda.clone().into()),
            (
                "CUTAPE_NVML".into(),
                driver.nvml.clone().unwrap_or_default().into(),
            ),
            ("CUTAPE_ON_FULL".into(), self.on_full.name().into()),
            ("CUTAPE_PAYLOAD".into(), self.payload.name().into()),
            ("CUTAPE_STACKS".into(), self.stacks.text().into()),
            ("CUTAPE_STACKED".into(), self.stacked().into()),
            (
                "CUTAPE_MAX_SIZE".into(),
                self.max_size
                    .map(|bytes| bytes.to_string())
                    .unwrap_or_default()
                    .into(),
            ),
        ];
        if let Some(filter) = filter {
            environment.push(("CUTAPE_FILTER".into(), filter.text().into()));
            // Arguments of kernels are found by what earlier calls said of the kernels, so that those calls have to be seen then.
            if self.payload == Payload::None || !filtering::wants_launches(&filter) {
                environment.push((
                    "CUTAPE_UNRECORDED".into(),
                    filtering::unrecorded(&filter).into(),
                ));
            }
        }
        environment.extend(rule_variables(&injection)?);
        environment.extend(
            driver
                .environment
                .iter()
                .map(|(name, value)| (name.into(), value.into())),
        );
        Ok(Setup {
            driver,
            front,
            environment,
        })
    }

    /// A name that no function has is more likely a slip than a function of next year's driver.
    fn tell_unknown_names(&self, filter: Option<&Filter>) {
        let of_stacks = match &self.stacks {
            Stacks::Of(filter) => Some(filter),
            Stacks::Failed | Stacks::None => None,
        };
        for (option, filter) in [("-e", filter), ("--stacks", of_stacks)] {
            for unknown in filter
                .iter()
                .flat_map(|filter| filter.unknown_names(Api::get().functions()))
            {
                message::say(format!("{option}: {unknown}"));
            }
        }
    }

    /// The functions whose calls all have their stacks kept: those of a recording around this one are not for it.
    fn stacked(&self) -> String {
        match &self.stacks {
            Stacks::Of(filter) => filtering::meant(filter),
            Stacks::Failed | Stacks::None => String::new(),
        }
    }

    /// The options as the trace keeps them.
    pub fn described(&self, driver: &Driver) -> Vec<(String, String)> {
        let mut options = vec![
            (
                "driver".to_owned(),
                driver.cuda.to_string_lossy().into_owned(),
            ),
            ("on-full".to_owned(), self.on_full.name().to_owned()),
            ("payload".to_owned(), self.payload.name().to_owned()),
        ];
        options.extend(
            self.max_size
                .map(|bytes| ("max-size".to_owned(), bytes.to_string())),
        );
        if !matches!(self.stacks, Stacks::Failed) {
            options.push(("stacks".to_owned(), self.stacks.text().to_owned()));
        }
        options.extend(
            self.filter
                .iter()
                .map(|filter| ("filter".to_owned(), filter.clone())),
        );
        for (name, rules) in [("inject", &self.inject), ("override", &self.overrides)] {
            options.extend(rules.iter().map(|rule| (name.to_owned(), rule.clone())));
        }
        options.extend(
            driver
                .environment
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone())),
        );
        options
    }

    /// The trace's path: absolute, with the one suffix.
    ///
    /// # Errors
    /// The current folder is gone.
    pub fn trace_path(&self, program: Option<&OsString>) -> Result<PathBuf, String> {
        let name = match &self.output {
            Some(name) => name.clone(),
            None => default_name(program),
        };
        let name = if name
            .extension()
            .is_some_and(|extension| extension == "cutape")
        {
            name
        } else {
            let mut longer = name.into_os_string();
            longer.push(".cutape");
            longer.into()
        };
        let folder = env::current_dir()
            .map_err(|error| format!("the current folder can't be found: {error}"))?;
        Ok(folder.join(name))
    }
}

/// The rules in words, and what was made of them. Empty where there are none: those of a recording around this one are not for it.
fn rule_variables(injection: &Injection) -> Result<[(OsString, OsString); 3], String> {
    let plan = match injection.is_empty() {
        true => String::new(),
        false => injection.plan.to_variable()?,
    };
    Ok([
        (INJECT_VARIABLE.into(), injection.plan.words(false).into()),
        (OVERRIDE_VARIABLE.into(), injection.plan.words(true).into()),
        (PLAN_VARIABLE.into(), plan.into()),
    ])
}

fn default_name(program: Option<&OsString>) -> PathBuf {
    let program = program
        .map_or(Path::new("cutape"), Path::new)
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    format!(
        "{program}-{}.cutape",
        chrono::Local::now().format("%Y-%m-%d-%H%M%S")
    )
    .into()
}
