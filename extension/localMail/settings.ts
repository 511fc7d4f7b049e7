/** Where the server listens. */
interface Where {
  host: string;
  smtp: number;
  imap: number;
}
interface Format {
  label: string;
  detail: string;
  text(where: Where): string;
}

/** The settings of programs that send mail, as each wants them written. */
export const FORMATS: readonly Format[] = [
  {
    label: '.env',
    detail: 'SMTP_HOST, SMTP_PORT, IMAP_HOST, IMAP_PORT',
    text: ({ host, smtp, imap }) => `SMTP_HOST=${host}\nSMTP_PORT=${smtp}\nIMAP_HOST=${host}\nIMAP_PORT=${imap}\n`,
  },
  // A container has a loopback of its own. Docker Desktop leads this name to that of the machine; elsewhere the
  // container shares it.
  {
    label: 'Docker Compose',
    detail: 'docker-compose.yml',
    text: ({ smtp, imap }) =>
      `services:\n  app:\n    # On Linux: network_mode: host, and 127.0.0.1 below.\n    environment:\n      SMTP_HOST: host.docker.internal\n` +
      `      SMTP_PORT: "${smtp}"\n      IMAP_HOST: host.docker.internal\n      IMAP_PORT: "${imap}"\n`,
  },
  {
    label: 'Nodemailer',
    detail: 'JavaScript',
    text: ({ host, smtp }) =>
      `import { createTransport } from 'nodemailer';\n\nexport const transport = createTransport({ host: '${host}', port: ${smtp}, secure: false });\n`,
  },
  {
    label: 'Django',
    detail: 'settings.py',
    text: ({ host, smtp }) =>
      `EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"\nEMAIL_HOST = "${host}"\nEMAIL_PORT = ${smtp}\nEMAIL_USE_TLS = False\nEMAIL_USE_SSL = False\n`,
  },
  {
    label: 'Rails',
    detail: 'config/environments/development.rb',
    text: ({ host, smtp }) =>
      `config.action_mailer.delivery_method = :smtp\nconfig.action_mailer.smtp_settings = { address: "${host}", port: ${smtp} }\n`,
  },
  {
    label: 'Laravel',
    detail: '.env',
    text: ({ host, smtp }) =>
      `MAIL_MAILER=smtp\nMAIL_SCHEME=null\nMAIL_HOST=${host}\nMAIL_PORT=${smtp}\nMAIL_USERNAME=null\nMAIL_PASSWORD=null\nMAIL_ENCRYPTION=null\n`,
  },
  {
    label: 'Spring',
    detail: 'application.properties',
    text: ({ host, smtp }) =>
      `spring.mail.host=${host}\nspring.mail.port=${smtp}\nspring.mail.properties.mail.smtp.auth=false\nspring.mail.properties.mail.smtp.starttls.enable=false\n`,
  },
];
