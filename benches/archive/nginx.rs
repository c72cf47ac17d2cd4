//! nginx, which sends and takes files and does nothing else.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use reqwest::blocking::Client;

/// A running nginx on a port of its own. Dropping it ends it.
pub struct Nginx {
    child: Child,
    client: Client,
    base: String,
}

impl Nginx {
    /// Starts one that serves `folder` and takes files by PUT into it; none where it is not installed.
    pub fn start(folder: &Path) -> anyhow::Result<Option<Self>> {
        let is_there = Command::new("nginx").arg("-v").stderr(Stdio::null()).status().is_ok();
        if !is_there {
            eprintln!("archive: `nginx` is not installed, and left out");
            return Ok(None);
        }
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let root = folder.display();
        let settings = format!(
            "daemon off; worker_processes 2; pid {root}/nginx.pid; error_log {root}/nginx.log; events {{ }}
             {user}
             http {{
               access_log off; sendfile on; tcp_nopush on;
               client_body_temp_path {root}/body; proxy_temp_path {root}/proxy; fastcgi_temp_path {root}/fastcgi;
               uwsgi_temp_path {root}/uwsgi; scgi_temp_path {root}/scgi;
               server {{
                 listen 127.0.0.1:{port};
                 root {root}/files;
                 client_max_body_size 0;
                 location / {{ dav_methods PUT; }}
               }}
             }}",
            // As root it would change to a user that can't see the folder.
            user = if rustix::process::geteuid().is_root() { "user root;" } else { "" },
        );
        fs::create_dir_all(folder.join("files"))?;
        fs::write(folder.join("nginx.conf"), settings)?;
        let child = Command::new("nginx")
            .arg("-c")
            .arg(folder.join("nginx.conf"))
            .arg("-p")
            .arg(folder)
            .stderr(Stdio::null())
            .spawn()
            .context("failed to start nginx")?;
        let mut nginx = Self {
            child,
            client: Client::builder().timeout(None).no_proxy().build()?,
            base: format!("http://127.0.0.1:{port}"),
        };
        for _ in 0..100 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Ok(Some(nginx));
            }
            if let Some(status) = nginx.child.try_wait()? {
                bail!("nginx ended with {status}: {}", fs::read_to_string(folder.join("nginx.log"))?);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("nginx does not listen")
    }

    /// Sends it a file.
    pub fn upload(&self, name: &str, file: &Path) -> anyhow::Result<()> {
        let answer = self.client.put(format!("{}/{name}", self.base)).body(File::open(file)?).send()?;
        ensure!(answer.status().is_success(), "nginx answered {}", answer.status());
        Ok(())
    }

    /// Receives a file.
    pub fn download(&self, name: &str, into: &Path) -> anyhow::Result<()> {
        let mut answer = self.client.get(format!("{}/{name}", self.base)).send()?;
        ensure!(answer.status().is_success(), "nginx answered {}", answer.status());
        answer.copy_to(&mut File::create(into)?)?;
        Ok(())
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let process = rustix::process::Pid::from_child(&self.child);
        // Its workers end with it when it is asked to; killed, it would leave them.
        let _ = rustix::process::kill_process(process, rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}
